"""Docker, Podman or Buildah, whichever is there, behind the same few verbs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PORT = "8501"
SECONDS_TO_STOP = 20
# Prints the processes below process argv[1] of which argv[2] is one of the arguments.
DESCENDANTS = """
import pathlib, sys
below, parents, arguments = {int(sys.argv[1])}, {}, {}
for folder in pathlib.Path('/proc').glob('[0-9]*'):
    try:
        pid, state = int(folder.name), (folder / 'stat').read_text().rpartition(')')[2].split()
        parents[pid] = int(state[1])
        arguments[pid] = (folder / 'cmdline').read_bytes().decode().split(chr(0))
    except OSError:
        pass
for _ in parents:
    below |= {pid for pid, parent in parents.items() if parent in below}
print(*(pid for pid in sorted(below) if sys.argv[2] in arguments.get(pid, ())))
"""


class Docker:
    """One container of an image, with a volume of its own; Podman takes the same words."""

    def __init__(self, program: str, image: str, port: int) -> None:
        self.program, self.image, self.port = program, image, port
        self.name = f"prunescope-test-{os.getpid()}"

    def build(self, arguments: list[str]) -> None:
        # Podman's own format has no health checks.
        settings = os.environ | {"BUILDAH_FORMAT": "docker"}
        command = [self.program, "build", "--tag", self.image, *arguments, ROOT]
        subprocess.run(command, env=settings, check=True)

    def start(self) -> None:
        published, volume = f"127.0.0.1:{self.port}:{PORT}", f"{self.name}:/data"
        options = ["--detach", "--name", self.name, "--publish", published, "--volume", volume]
        self._call("run", *options, self.image)

    def inside(self, *command: str) -> str:
        """What a command in the container prints. Raises CalledProcessError where it fails."""
        return self._call("exec", self.name, *command)

    def processes(self, argument: str) -> list[int]:
        found = self.inside("python", "-c", DESCENDANTS, "1", argument)
        return [int(pid) for pid in found.split()]

    def kill(self, pid: int) -> None:
        self.inside("python", "-c", f"import os; os.kill({pid}, 9)")

    def stop(self) -> int:
        """Stop politely, return the exit status."""
        self._call("stop", "--time", str(SECONDS_TO_STOP), self.name)
        return int(self._call("inspect", "--format", "{{.State.ExitCode}}", self.name))

    def start_again(self) -> None:
        """A new container on the same volume."""
        self._call("rm", self.name)
        self.start()

    def health_command(self) -> list[str]:
        told = self._call("inspect", "--format", "{{json .Config.Healthcheck.Test}}", self.name)
        return list(json.loads(told)[1:])

    def size(self) -> int:
        """Bytes of the whole image."""
        return int(self._call("image", "inspect", "--format", "{{.Size}}", self.image))

    def log(self) -> str:
        command = [self.program, "logs", self.name]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def remove(self) -> None:
        for command in (["rm", "--force", self.name], ["volume", "rm", self.name]):
            subprocess.run([self.program, *command], capture_output=True, check=False)

    def _call(self, *arguments: str) -> str:
        command = [self.program, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Buildah(Docker):
    """Runs without a daemon and without a network of its own, so on any machine, but as root:
    the program of the image's entry point in its files, on this machine's ports."""

    def __init__(self, program: str, image: str, port: int) -> None:
        super().__init__(program, image, port)
        self.folder = Path(tempfile.mkdtemp(prefix="prunescope-volume-"))
        self.output = self.folder.with_suffix(".log")
        self.output.touch()
        self.process: subprocess.Popen[bytes] | None = None

    def build(self, arguments: list[str]) -> None:
        command = [self.program, "build", "--format", "docker", "--layers", "--tag", self.image]
        subprocess.run([*command, *arguments, ROOT], check=True)

    def start(self) -> None:
        self._call("from", "--name", self.name, self.image)
        # Buildah mounts the image's volume as well, from a folder of the working container's own.
        # Which of two mounts at one place it keeps, 1.28 (Debian 12) leaves to an unstable sort.
        self._call("config", "--volume", "/data-", self.name)
        config = self._config()
        user = int(config["User"])
        os.chown(self.folder, user, user)
        entry = [*config["Entrypoint"], *config["Cmd"]]
        port = str(self.port)
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self._run(*(port if word == PORT else word for word in entry)),
                stdout=output,
                stderr=output,
            )

    def inside(self, *command: str) -> str:
        run = self._run(*command)
        return subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def processes(self, argument: str) -> list[int]:
        if not self.process:
            return []
        words = ["python3", "-c", DESCENDANTS, str(self.process.pid), argument]
        found = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [int(pid) for pid in found.split()]

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        if not self.process:
            return 0
        # A process of Buildah's own has it among its arguments too; the last is tini itself.
        os.kill(self.processes("/usr/bin/tini")[-1], signal.SIGTERM)
        return self.process.wait(SECONDS_TO_STOP)

    def health_command(self) -> list[str]:
        test = self._config()["Healthcheck"]["Test"]
        return [word.replace(PORT, str(self.port)) for word in test[1:]]

    def size(self) -> int:
        # The files of a working container that nothing was written to.
        mounted = self._call("mount", self.name)
        told = subprocess.run(
            ["du", "--summarize", "--bytes", mounted], check=True, stdout=subprocess.PIPE, text=True
        )
        return int(told.stdout.split()[0])

    def log(self) -> str:
        return self.output.read_text(errors="replace")

    def remove(self) -> None:
        if self.process and self.process.poll() is None:
            self.stop()
        subprocess.run([self.program, "rm", self.name], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.output.unlink(missing_ok=True)

    def _config(self) -> dict:
        return dict(json.loads(self._call("inspect", self.name))["Docker"]["config"])

    def _run(self, *command: str) -> list[str]:
        options = ["--network", "host", "--volume", f"{self.folder}:/data"]
        return [self.program, "run", *options, self.name, "--", *command]


def engine(image: str, port: int) -> Docker:
    """The first engine that answers, or the one that ENGINE names. Ends without one."""
    wanted = os.environ.get("ENGINE")
    for program in [wanted] if wanted else ["docker", "podman", "buildah"]:
        answer = [program, "info"]
        if shutil.which(program) and not subprocess.run(answer, capture_output=True).returncode:
            kind = Buildah if Path(program).name == "buildah" else Docker
            return kind(program, image, port)
    raise SystemExit(f"There is no {wanted or 'docker, podman or buildah'} that answers here.")


def build_arguments() -> list[str]:
    """What BUILD says, such as BUILD="--build-arg TORCH=cu130"."""
    return shlex.split(os.environ.get("BUILD", ""))


def wait(what: str, seconds: float, condition) -> float:
    """Seconds until `condition()` holds. Ends with what was waited for where it does not."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not within {seconds:g} s: {what}")
        time.sleep(0.25)
    return time.monotonic() - began

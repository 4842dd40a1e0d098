"""The route of X-rays: what it serves, and all it refuses."""

import io
import json
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.people import access, audit
from core.people.access import (
    Person,
    ReadingClaim,
    Visitor,
    XrayClaim,
    sign_xray,
    without_sign_in,
)
from core.pictures import xrays
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.labels import Labels
from tests.toys import toy_config, toy_labels, write_toy_study


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    xrays._paths.cache_clear()


@pytest.fixture
def folder():
    return write_toy_study(n_images=20)


def client(address: str | None = "127.0.0.1") -> TestClient:
    return as_visitor(without_sign_in(address, []))


def as_visitor(
    visitor: Visitor | None, to_read: Mapping[ReadingClaim, tuple[str, str]] = MappingProxyType({})
) -> TestClient:
    routes = xrays.xray_routes(lambda request: visitor, to_read.get)
    return TestClient(Starlette(routes=routes))


def token(folder, image_id="image-00012.png", person="local") -> str:
    return sign_xray(XrayClaim(folder.name, image_id, person))


def png(response) -> Image.Image:
    assert response.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(response.content))


def test_a_signed_address_shows_the_image_as_grey_png(folder):
    response = client().get(f"/xray/{token(folder)}")
    assert response.status_code == 200
    image = png(response)
    assert (image.format, image.mode, image.size) == ("PNG", "L", (48, 64))
    original = Image.open(paths.cache_dir() / "toy-images" / "image-00012.png")
    assert np.array_equal(np.asarray(image), np.asarray(original))
    assert response.headers["cache-control"].startswith("private")
    assert response.headers["x-content-type-options"] == "nosniff"


def refused(response) -> bool:
    return (response.status_code, response.text) == (403, "Not allowed, or no longer.")


def test_everything_not_allowed_looks_alike(folder, monkeypatch):
    good = token(folder)
    ask = client().get
    assert refused(ask("/xray/unsigned"))
    assert refused(ask(f"/xray/{good[:-3]}abc"))
    assert refused(ask(f"/xray/{token(folder, 'no-such-image.png')}"))
    assert refused(ask(f"/xray/{token(folder, person='somebody else')}"))
    for study_id in ("other-12345678", "../studies/" + folder.name, "..", "", "/etc"):
        assert refused(ask(f"/xray/{sign_xray(XrayClaim(study_id, 'image-00012.png', 'local'))}"))
    now = access.time.time()
    monkeypatch.setattr(access.time, "time", lambda: now + 3600)
    assert refused(ask(f"/xray/{good}"))


def test_an_address_is_for_one_person(folder):
    rolf, ann = Person("rolf@clinic.org", "researcher"), Person("ann@clinic.org", "admin")
    ask = token(folder, person=rolf.email)
    assert as_visitor(Visitor(rolf)).get(f"/xray/{ask}").status_code == 200
    assert refused(as_visitor(Visitor(ann)).get(f"/xray/{ask}"))
    assert refused(as_visitor(None).get(f"/xray/{ask}"))
    assert refused(client().get(f"/xray/{ask}"))


def reading(reader: str, person: str, position: int = 3) -> str:
    return sign_xray(ReadingClaim(7, position, reader, person))


def test_a_reader_sees_what_they_have_to_read_and_nothing_else(folder):
    """What somebody has to read is tested with the reader study's database."""
    rita = Person("rita@clinic.org", "reader")
    to_read = {ReadingClaim(7, 3, rita.email, rita.email): (folder.name, "image-00012.png")}
    ask = as_visitor(Visitor(rita), to_read).get
    assert ask(f"/xray/{reading(rita.email, rita.email)}").status_code == 200
    assert list(audit.lines())[-1]["image"] == "image-00012.png"
    assert refused(ask(f"/xray/{reading(rita.email, rita.email, 4)}"))
    assert refused(ask(f"/xray/{token(folder, person=rita.email)}")), "of no reader study"
    ann = Person("ann@clinic.org", "admin")
    assert refused(as_visitor(Visitor(ann), to_read).get(f"/xray/{reading(*[rita.email] * 2)}"))


def test_somebody_reads_by_a_name_at_the_servers_own_machine_alone(folder):
    def ask(visitor: Visitor):
        who = visitor.person.email
        to_read = {ReadingClaim(7, 3, "anna", who): (folder.name, "image-00012.png")}
        return as_visitor(visitor, to_read).get(f"/xray/{reading('anna', who)}")

    assert ask(without_sign_in("127.0.0.1", [])).status_code == 200
    assert refused(ask(without_sign_in("0.0.0.0", [])))
    assert refused(ask(without_sign_in("127.0.0.1", ["X-Forwarded-For"])))
    assert refused(ask(Visitor(Person("rolf@clinic.org", "researcher"))))


def test_samples_come_as_they_are_stored(folder):
    response = client().get(f"/xray/{token(folder)}?pixels=1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/octet-stream"
    told = json.loads(response.headers["x-xray"])
    original = Image.open(paths.cache_dir() / "toy-images" / "image-00012.png")
    assert (told["width"], told["height"]) == original.size
    assert response.content == original.tobytes()


def test_what_was_seen_stands_in_the_audit_log(folder):
    ask = client().get
    for query in ("?size=256", "", "?pixels=1", "?size=1024"):
        ask(f"/xray/{token(folder)}{query}")
    ask("/xray/unsigned")
    said = [(line["who"], line["what"], line.get("image")) for line in audit.lines()]
    assert said == [
        ("local", "x-ray thumbnail", "image-00012.png"),
        *[("local", "x-ray opened", "image-00012.png")] * 3,
        ("local", "access refused", None),
    ]


def test_what_cannot_be_logged_is_not_shown(folder):
    audit.audit_path().mkdir()
    response = client().get(f"/xray/{token(folder)}")
    assert response.status_code == 503
    assert "cannot be written" in response.text
    assert refused(client().get("/xray/unsigned"))


def test_an_image_of_another_study_is_refused(folder):
    other_labels = toy_labels(20)
    table = other_labels.table.assign(image_id=[f"other-{i}" for i in range(20)])
    other = paths.study_dir(toy_config("other", paths.cache_dir() / "toy-images"))
    store.write_labels(Labels(table, other_labels.class_names), other)
    config = toy_config("other", paths.cache_dir() / "toy-images")
    store.write_json({"config": config.model_dump(mode="json")}, paths.study_json(other))
    assert client().get(f"/xray/{token(other, 'other-1')}").status_code == 200
    assert refused(client().get(f"/xray/{token(folder, 'other-1')}"))


def test_paths_in_labels_cannot_leave_the_image_folder(folder, tmp_path):
    outside = tmp_path / "cache" / "secret.png"
    Image.new("L", (8, 8)).save(outside)
    (paths.cache_dir() / "toy-images" / "link.png").symlink_to(outside)
    labels = store.read_labels(folder)
    for path in ("../secret.png", str(outside), "a/../../secret.png", "link.png"):
        table = labels.table.assign(path=path)
        store.write_labels(Labels(table, labels.class_names), folder)
        assert refused(client().get(f"/xray/{token(folder)}")), path


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.168.1.5"])
def test_real_images_are_not_shown_on_a_public_address(folder, address):
    for person in ("guest", "local"):
        assert refused(client(address).get(f"/xray/{token(folder, person=person)}"))


def test_phantoms_are_shown_on_a_public_address():
    raw = {
        "study": {"name": "phantoms"},
        "dataset": {"kind": "phantom", "n_patients": 10},
        "model": {"architecture": "resnet_small"},
    }
    config = StudyConfig.model_validate(raw)
    folder = paths.study_dir(config)
    store.write_labels(toy_labels(20), folder)
    store.write_json({"config": config.model_dump(mode="json")}, paths.study_json(folder))
    images = paths.phantoms_dir(config.dataset)
    images.mkdir(parents=True)
    Image.new("L", (32, 32), 99).save(images / "image-00012.png")
    assert client("0.0.0.0").get(f"/xray/{token(folder, person='guest')}").status_code == 200


def test_thumbnails_are_smaller_and_never_larger(folder):
    path = paths.cache_dir() / "toy-images" / "image-00012.png"
    Image.new("L", (1000, 500), 128).save(path)
    ask = client().get
    assert png(ask(f"/xray/{token(folder)}?size=256")).size == (256, 128)
    assert png(ask(f"/xray/{token(folder)}?size=1024")).size == (1000, 500)
    for odd in ("0", "-5", "257", "9999999", "1e3", "x", ""):
        assert png(ask(f"/xray/{token(folder)}?size={odd}")).size == (1000, 500)


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "LA", "P", "1", "I;16", "CMYK"])
def test_images_as_found_in_the_wild_become_eight_bit_grey(folder, mode):
    path = paths.cache_dir() / "toy-images" / "image-00012.png"
    suffix = {"CMYK": "JPEG"}.get(mode, "PNG")
    ramp = np.linspace(0, 1, 256).reshape(16, 16)
    if mode == "I;16":
        Image.fromarray((ramp * 4000).astype(np.uint16)).save(path, suffix)
    else:
        Image.fromarray((ramp * 255).astype(np.uint8)).convert(mode).save(path, suffix)
    image = png(client().get(f"/xray/{token(folder)}"))
    assert image.mode == "L"
    assert np.asarray(image)[0, 0] < 10
    assert np.asarray(image)[-1, -1] > 245


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut off", None])
def test_an_unreadable_image_says_so(folder, content):
    path = paths.cache_dir() / "toy-images" / "image-00012.png"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    response = client().get(f"/xray/{token(folder)}")
    assert response.status_code == 200
    assert png(response).size == (256, 256)
    assert "no-store" in response.headers["cache-control"]
    config = store.read_config(folder)
    assert xrays.source_size(folder, config, "image-00012.png") is None


def test_only_get_is_answered(folder):
    assert client().post(f"/xray/{token(folder)}").status_code == 405

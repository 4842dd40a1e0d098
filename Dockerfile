# PruneScope in one container: the dashboard, its worker, and the demo study, finished.
#
#   docker build --tag prunescope .
#   docker run --publish 8501:8501 --volume prunescope:/data --restart unless-stopped prunescope
#
# Build arguments:
#   TORCH         cpu (the default), or the name of a CUDA build such as cu130
#   TORCH_INDEX   the address of another package index with torch and torchvision
#   PYTHON_IMAGE  another image with Python 3.11 or newer, on Debian

ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1
# tini is process 1: it passes signals on and reaps what killed workers leave behind. Its version is
# that of the Debian in the base image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && python -m venv /opt/venv \
    && useradd --uid 10001 --create-home prunescope


# A sign-in provider to try sign-in with, see compose.yaml. Anybody may sign in there as anybody.
FROM base AS provider
RUN pip install --only-binary :all: oidc-provider-mock==0.3.4
USER 10001
EXPOSE 9400
ENTRYPOINT ["tini", "--", "python", "-m", "oidc_provider_mock", "--host", "0.0.0.0"]


# What the layers below depend on, and no more: torch's own pins, and the program's name and version.
# Another package in requirements.txt leaves torch's layer as it is, a rule for ruff leaves them all.
FROM base AS lists
WORKDIR /lists
COPY requirements.txt pyproject.toml ./
RUN grep -E '^(torch|torchvision|numpy|pillow|jinja2|filelock)==' requirements.txt > torch.txt \
    && touch README.md \
    && SOURCE_DATE_EPOCH=315532800 pip wheel --no-deps --wheel-dir wheels .


# Everything is taken as wheels: no compiler is needed, and so none is there to remove. Packages
# bring their own tests, which nobody runs here.
FROM base AS packages
ARG TORCH=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/${TORCH}
COPY --from=lists /lists/torch.txt /lists/
RUN pip install --only-binary :all: --extra-index-url "${TORCH_INDEX}" \
    --requirement /lists/torch.txt
COPY requirements.txt /lists/
RUN pip install --only-binary :all: --requirement /lists/requirements.txt \
    && find /opt/venv -type d -name tests -not -path '*/torch/*' -prune -exec rm -r {} +
COPY --from=lists /lists/wheels /lists/wheels
RUN pip install --no-deps /lists/wheels/*.whl
ENV PYTHONPATH=/app PRUNESCOPE_CACHE=/data


# The demo study, made by the engine. Here is what a run imports (tests/tools/test_dockerfile.py holds the
# list to that): a change of a page, a chart, a command or a job does not train again.
FROM packages AS demo
WORKDIR /app
COPY data/phantoms data/phantoms/
COPY data/classes data/classes/
COPY data/studies/demo.toml data/studies/
COPY core/__init__.py core/errors.py core/
COPY core/study core/study/
COPY core/datasets core/datasets/
COPY core/analysis core/analysis/
COPY core/wording core/wording/
COPY core/people/__init__.py core/people/access.py core/people/audit.py core/people/
COPY core/pictures core/pictures/
COPY core/processes core/processes/
COPY core/results core/results/
COPY core/checkpoints core/checkpoints/
COPY core/engine core/engine/
COPY tools/make_demo.py tools/
RUN python tools/make_demo.py data/studies/demo.toml
# Checkpoints are their owner's alone when they are made; the program runs as another account.
# hadolint ignore=DL3059
RUN chmod -R a+rX /data


FROM packages AS prunescope
# A new volume, an older one or a folder of the host hides what is below /data, so the demo lies
# aside and is copied when the dashboard starts. Weights that torchvision fetches stay in the volume.
ENV PRUNESCOPE_SHIPPED=/opt/prunescope TORCH_HOME=/data/torch
RUN install --directory --owner=10001 --group=10001 /data
COPY --from=demo /data /opt/prunescope
COPY LICENSE app.py prunescope.py /app/
COPY .streamlit/config.toml /app/.streamlit/
COPY data /app/data
COPY pages /app/pages
COPY core /app/core
RUN python -m compileall -q /app
WORKDIR /data
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import sys; from core.serve import APP, answers, base_path; sys.exit(not answers('127.0.0.1', 8501, base_path(APP.parent)))"]
ENTRYPOINT ["tini", "--", "prunescope"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8501"]

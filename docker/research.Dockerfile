# The study's tools: Jupyter, the chapters' runner, the book with its PDF, all tests. The study itself is mounted.
# docker build -f docker/research.Dockerfile -t perpfut/research .
FROM python:3.11.14-slim-bookworm AS build
# Where pip finds the CPU build of PyTorch; without it the index's own build is taken, which may bring CUDA.
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/study
COPY requirements.lock requirements-torch.lock /tmp/
RUN /opt/study/bin/pip install --no-deps --require-hashes -r /tmp/requirements.lock \
 && /opt/study/bin/pip install -r /tmp/requirements-torch.lock && /opt/study/bin/pip check

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="perpfut research" \
      org.opencontainers.image.description="For research and education only. Not investment advice." \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update && apt-get install --yes --no-install-recommends chromium git make \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin perpfut
COPY --from=build /opt/study /opt/study
COPY docker/perpfut /opt/study/bin/
ENV PATH=/opt/study/bin:$PATH PYTHONPATH=/study PERPFUT_ROOT=/study HOME=/tmp \
    OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1 JUPYTER_PLATFORM_DIRS=1
WORKDIR /study
USER 10001:10001
EXPOSE 8888
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8888/api', timeout=5)"]
# Reached through the published loopback port only; Jupyter prints the token that opens it.
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--notebook-dir=/study"]

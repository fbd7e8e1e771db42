# The live agent, and the local exchange that it can be tried on. No training stack, no compiler, no secret, no root.
# Built from the repository's root: docker build -f docker/agent.Dockerfile -t perpfut/agent .
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && python -m venv /opt/agent
COPY docker/agent-requirements.lock /tmp/
RUN /opt/agent/bin/pip install --no-deps --require-hashes -r /tmp/agent-requirements.lock \
 && /opt/agent/bin/pip check \
 && /opt/agent/bin/pip uninstall --yes --quiet pip setuptools \
 && find /opt/agent -type d -name tests -prune -exec rm -r {} +
# Nothing live loads Arrow's servers, clouds and headers, or the second backend of zstandard; symbols are for debuggers.
RUN cd /opt/agent/lib/python3.11/site-packages \
 && rm -r pyarrow/_flight* pyarrow/libarrow_flight* pyarrow/_s3fs* pyarrow/libarrow_s3* pyarrow/include pyarrow/src \
    zstandard/_cffi* ccxt/test \
 && find llvmlite pyarrow uvloop zstandard -type f -name '*.so*' -exec strip --strip-unneeded {} +

FROM python:3.11.14-slim-bookworm
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="perpfut agent" \
      org.opencontainers.image.description="For research and education only. Not investment advice." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${COMMIT}"
RUN useradd --uid 10001 --user-group --home-dir /app --no-create-home --shell /usr/sbin/nologin perpfut \
 && install --directory --owner perpfut --group perpfut /app/artifacts /var/cache/perpfut
COPY --from=build /opt/agent /opt/agent
WORKDIR /app
COPY LICENSE ./
COPY configs configs
COPY perpfut_lib perpfut_lib
COPY agent agent
COPY docker/perpfut /opt/agent/bin/
# Compiled at build time, so that every start and health check is quick although the root file system is read-only.
RUN /opt/agent/bin/python -m compileall -q perpfut_lib agent
ENV PATH=/opt/agent/bin:$PATH PYTHONPATH=/app PERPFUT_ROOT=/app PERPFUT_COMMIT=${COMMIT} \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 HOME=/tmp
# An image that lacks what the live process imports is not built.
RUN NUMBA_CACHE_DIR=/tmp/machine-code python -c "import agent.operation.run, agent.replay.replay, agent.operation.doctor, agent.console.watch, agent.console.server, perpfut_lib.venue.server" \
 && python -c "import pyarrow.parquet, ccxt.pro, zstandard" && rm -r /tmp/machine-code
USER 10001:10001
VOLUME /app/artifacts /var/cache/perpfut
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=300s --retries=2 \
  CMD ["perpfut", "agent", "status", "--max-age", "90"]
ENTRYPOINT ["perpfut"]
CMD ["agent", "run"]

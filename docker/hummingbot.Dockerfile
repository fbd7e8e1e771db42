# Hummingbot's official image, with our script. It holds keys, encrypted under its own password, and no policy.
# docker build -f docker/hummingbot.Dockerfile -t perpfut/hummingbot .
FROM hummingbot/hummingbot:version-2.16.0
LABEL org.opencontainers.image.title="perpfut hummingbot" \
      org.opencontainers.image.description="For research and education only. Not investment advice."
USER root
RUN useradd --uid 10001 --user-group --home-dir /home/hummingbot --no-create-home perpfut \
 && install --directory --owner perpfut --group perpfut /app/artifacts /home/hummingbot/conf/scripts \
 && chown -R perpfut:perpfut /home/hummingbot/conf /home/hummingbot/data /home/hummingbot/logs
COPY LICENSE /app/
COPY perpfut_lib /app/perpfut_lib
COPY agent /app/agent
COPY agent/hummingbot/perpfut_executor.py /home/hummingbot/scripts/
COPY docker/hummingbot-start /usr/local/bin/
ENV PATH=/opt/conda/envs/hummingbot/bin:$PATH PYTHONPATH=/app:/home/hummingbot PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/machine-code
WORKDIR /home/hummingbot
# An image without the engine that we are tested with, or whose packages ours do not run on, is not built.
RUN python -c "import hummingbot.cli.engine, agent.executor.trader, agent.hummingbot.executor_config, agent.hummingbot.watch"
USER 10001:10001
VOLUME /app/artifacts
STOPSIGNAL SIGTERM
# The script reports every few seconds; a report that is old means that nobody trades or watches positions.
HEALTHCHECK --interval=60s --timeout=10s --start-period=300s --retries=3 \
  CMD ["/bin/sh", "-c", "test -n \"$(find /app/artifacts/$PERPFUT_PROFILE/agent/perf_snapshot.json -mmin -2)\""]
ENTRYPOINT ["hummingbot-start"]

# syntax=docker/dockerfile:1
# Signalbox: one image for web, workers, beat and notifier. Built in stages, run by an unprivileged user.

ARG PYTHON=3.11-slim-bookworm
ARG POSTGRES=18-bookworm

# The PostgreSQL project's own client programs: pg_dump must be at least as new as the newest server.
FROM postgres:${POSTGRES} AS clients
RUN install -D -t /opt/postgresql/bin /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_dumpall \
      /usr/lib/postgresql/*/bin/pg_restore /usr/lib/postgresql/*/bin/psql \
 && install -D -m 0644 -t /opt/postgresql/lib /usr/lib/*-linux-gnu/libpq.so.5

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --require-hashes --no-deps --only-binary=:all: -r /tmp/requirements.txt

WORKDIR /app
COPY manage.py servers.toml.example LICENSE ./
COPY console console
COPY apps apps
COPY templates templates
COPY static static
# Hashed and compressed once, here; the key signs nothing and stays in this stage.
RUN SECRET_KEY=build-stage-only-signs-nothing SECRETBOX_KEYS=build:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    AUDIT_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ARCHIVE_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    BACKUP_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    STATIC_ROOT=/app/staticfiles /opt/venv/bin/python manage.py collectstatic --noinput \
 && /opt/venv/bin/python -m compileall -q /app /opt/venv

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Signalbox" \
      org.opencontainers.image.description="A web console from which a team operates its Redis and PostgreSQL servers" \
      org.opencontainers.image.licenses="BSD-3-Clause"
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq5 liblz4-1 libreadline8 libzstd1 tini \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 signalbox \
 && useradd --system --uid 10001 --gid signalbox --home-dir /data --no-create-home --shell /usr/sbin/nologin signalbox \
 && install -d -o signalbox -g signalbox -m 0700 /data
COPY --from=clients /opt/postgresql /opt/postgresql
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:/opt/postgresql/bin:$PATH \
    LD_LIBRARY_PATH=/opt/postgresql/lib \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SIGNALBOX_DATA=/data STATIC_ROOT=/app/staticfiles LOG_JSON=1 DEMO=0
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
ENTRYPOINT ["tini", "--"]
CMD ["gunicorn", "console.wsgi", "--bind=0.0.0.0:8000", "--worker-class=gthread", "--workers=2", "--threads=8", "--timeout=60", "--no-control-socket", "--worker-tmp-dir=/dev/shm"]

# One image for all services of docker-compose.yml.
FROM python:3.11-slim-bookworm

# Where torch comes only with CUDA, as it does by default, several GB are saved by
#   --build-arg PIP_EXTRA_INDEX_URL=...   with PyTorch's index of CPU builds.
ARG PIP_EXTRA_INDEX_URL

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1

WORKDIR /opt/gainline

# what changes seldom comes first, so that a change of the code does not fetch torch again
COPY requirements.lock requirements-torch.lock ./
COPY deploy/install deploy/install
RUN sh deploy/install requirements.lock pip

COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY ingest ingest
COPY clean clean
COPY store store
COPY analytics analytics
COPY gainline gainline
RUN pip install --quiet --no-deps --no-build-isolation . \
 && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent \
            --shell /usr/sbin/nologin gainline \
 && install -d -o 10001 -g 10001 /data /var/cache/gainline

# A named volume takes what the image has here, so compiled code and font lists are made once.
ENV XDG_CACHE_HOME=/var/cache/gainline \
    NUMBA_CACHE_DIR=/var/cache/gainline/numba \
    MPLCONFIGDIR=/var/cache/gainline/matplotlib \
    GAINLINE_ALIVE_FILE=/tmp/gainline-alive

USER 10001
WORKDIR /data
# Fills those caches: judging one reading compiles the judge.
RUN printf 'tag,source_time,value\na/b,2026-01-01T00:00:00Z,1\n' >/tmp/in.csv \
 && gainline clean /tmp/in.csv /tmp/out.csv \
 && python -c "import matplotlib.pyplot" \
 && rm /tmp/in.csv /tmp/out.csv

# A service touches the file about every second; 30 s allow for the longest commit.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, sys, time; sys.exit(time.time() - os.path.getmtime('/tmp/gainline-alive') > 30)"]

ENTRYPOINT ["gainline"]
CMD ["--help"]

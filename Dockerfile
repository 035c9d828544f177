# One image for the API and the daemon; the base installation without torch.
FROM python:3.11-slim
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE CHANGELOG.md ./
COPY aiops aiops
COPY ingest ingest
COPY graph_models graph_models
COPY rules rules
RUN pip install --no-cache-dir . && useradd --create-home --uid 10001 aiops && mkdir /data && chown aiops /data
USER aiops
ENV AIOPS_DATA=/data
VOLUME /data
ENTRYPOINT ["aiops"]
CMD ["serve", "--host", "0.0.0.0"]

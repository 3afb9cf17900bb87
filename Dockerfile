# The lessons in JupyterLab, on the processor.
#   docker build --tag curriculum .
#   docker run --rm --publish 127.0.0.1:8888:8888 --volume curriculum-work:/course/my-notebooks curriculum
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 student && mkdir -p /course/my-notebooks /course/data && chown -R 1000 /course
WORKDIR /course

# The packages come first, so that a change of a lesson does not install them again.
COPY --chown=1000 pyproject.toml constraints.txt README.md LICENSE ./
COPY --chown=1000 dlkit dlkit
RUN pip install --no-cache-dir --constraint constraints.txt --editable ".[lab]"

COPY --chown=1000 notebooks notebooks
COPY --chown=1000 benchmarks benchmarks

USER 1000
EXPOSE 8888
CMD ["dlkit", "lab", "--", "--ip=0.0.0.0", "--port=8888", "--no-browser"]

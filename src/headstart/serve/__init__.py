"""HTTP over a model: `/predict`, `/health`, `/metrics`, `/docs` and a page to try it.

What is served is a `Served`: a model folder (`headstart.pipeline.Predictor`) or an ONNX export (`Exported`). Nothing
here imports torch, so an export is served on a machine without it.

    _limits        how much one may ask
    _served        what a model is to the server; the limits as every model needs them
    _batching      a bounded queue, and threads that take what waits
    _service       requests of several items to rows, within the limits
    _guard         who may ask; bodies that are too large or too slow; what is told of every answer
    _app           routes and forms of answers (FastAPI)
    _docs          the interface as OpenAPI, and as a page
    _metrics       counts for Prometheus
    _server        sockets, signals, the end (uvicorn)
    page/          the page to try it
"""

from headstart.serve._exported import Exported
from headstart.serve._limits import Limits
from headstart.serve._running import Access, Address, read_token, run
from headstart.serve._served import Served, encoded_of, text_of

__all__ = ["Access", "Address", "Exported", "Limits", "Served", "encoded_of", "read_token", "run", "text_of"]

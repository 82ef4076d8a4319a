"""Loaders for models of each framework; each module loads its framework when it loads a model.

`llama.load`, `onnx.load`, `sklearn.load`, `torch.load` and `function.wrap` make models that run in
this process, `server.connect` one that runs on any server with OpenAI's chat interface. All have
the face of `mycelia.models.face` and pass the suites of `mycelia.testing.models`.

How far an answer repeats, which decides how others can check it:

| adapter | the same answer |
|---|---|
| `llama` | to the last bit, wherever the same wheel runs the same file on the same schedule |
| `onnx` | on the same processor to the last bit; elsewhere but for rounding |
| `sklearn`, `torch` | on the same machine to the last bit for the same batch; else but for rounding |
| `server` | as the server has it: with a seed, usually as long as it serves nobody else |
| `function` | as the function has it |

Deadlines are the caller's: cancel the call, for instance by `asyncio.timeout`. It is left at once,
and work that has not begun never will. A stream stops at its next piece, other work at its end.
"""

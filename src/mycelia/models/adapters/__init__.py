"""Loaders for models of each framework; each module loads its framework when it loads a model.

`llama.load`, `onnx.load`, `sklearn.load`, `torch.load` and `function.wrap` make models that run in
this process, `server.connect` one that runs on any server with OpenAI's chat interface. All have
the face of `mycelia.models.face` and pass the suites of `mycelia.testing.models`.
"""

"""Handing a trained model on: ONNX files, a page for the browser, a model card, a hub."""

"""Images: their shape, decoding, files, sheets, data sets and features."""

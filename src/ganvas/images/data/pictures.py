"""Which files are pictures, and finding them in a folder or an archive."""

from __future__ import annotations

from pathlib import Path

from ganvas.images import decode
from ganvas.sources import listing
from ganvas.sources.kind import Kind
from ganvas.sources.listing import Listing

PICTURES = Kind(
    noun="pictures",
    singular="picture",
    tests="test images",
    trained="training images",
    suffixes=frozenset(decode.SUFFIXES),
    most_bytes=decode.BYTES,
    examples=".png or .jpg",
    others={
        "pip install 'ganvas[heif]'": (".heic", ".heif", ".hif"),
        "convert them to PNG, for instance with a newer Pillow": (".avif",),
        "develop these raw photographs to JPEG or TIFF, for instance with darktable or RawTherapee": (
            *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".mrw", ".nef", ".nrw", ".orf", ".pef"),
            *(".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
        ),
        "save them as PNG, for instance with GIMP or ImageMagick": (
            *(".ai", ".cdr", ".dds", ".djvu", ".emf", ".eps", ".exr", ".fits", ".hdr", ".ico", ".jxl", ".jxr", ".pcx"),
            *(".pdf", ".ps", ".psb", ".psd", ".qoi", ".sgi", ".svg", ".svgz", ".wdp", ".wmf", ".xcf"),
        ),
        "save the pictures in them as PNG": (".dcm", ".nii", ".parquet", ".tfrecord"),
        "extract pictures from them: ffmpeg -i VIDEO -r 1 pictures/%06d.png": (
            *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm"),
            ".wmv",
        ),
        "unpack them": (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"),
    },
    columns=("image", "image_name", "image_path", "img", "img_name", "path", "picture", "photo"),
    numbers=("image_id", "img_id", "id"),
)


def find(path: Path, labelled: bool = True) -> Listing:
    """As `sources.listing.find`, for pictures."""
    return listing.find(path, PICTURES, labelled)

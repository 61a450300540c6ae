"""Make the training pictures of the restorer that comes with Ganvas from a folder of photographs.

    python benchmarks/photographs.py photographs/ pictures/
    ganvas train denoise --data pictures/ width=32 depth=3 d_width=4 batch=16 clip_g=0 images=1500k lr_g=5e-4 \\
        --run runs/restore \\
        "degrade=scratches:5-30?,spots:10-80?,blur:0.3-1.2?,noise:0-50?,grain:0-50?,jpeg:20-95?"
    python benchmarks/models.py runs/restore restore --data photographs --licence "CC BY 4.0, CC0; see NOTICE"

Each photograph is scaled to two sizes, at most 0.8 times its own: that takes the traces of JPEG out of what is to be
the clean picture, and gives it as much detail in a pixel as small photographs have. Every other one of the smaller
copies is grey, as old photographs are. src/ganvas/models/NOTICE names the photographs and their licences.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from ganvas.images import decode

SIDES = 1_440, 840  # pixels of the longer side
MOST = 0.8  # of the photograph's own size; smaller ones are used once, as they are


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True)
    files = sorted(file for file in given.photographs.iterdir() if file.suffix.lower() in decode.SUFFIXES)
    for number, file in enumerate(files):
        with Image.open(file) as opened:
            photograph = ImageOps.exif_transpose(opened).convert("RGB")
        for small, side in enumerate(SIDES):
            scale = side / max(photograph.size)
            if scale < MOST:
                size = (round(photograph.width * scale), round(photograph.height * scale))
                copy = photograph.resize(size, Image.Resampling.LANCZOS)
            elif small:
                continue
            else:
                copy = photograph
            if small and number % 2:
                copy = ImageOps.grayscale(copy).convert("RGB")
            copy.save(given.out / f"{file.stem}-{side}.png")
    print(f"{len(files)} photographs: {given.out}")


if __name__ == "__main__":
    main()

"""Write two JSON files: python with_posteriordb.py DIR, a copy of stan-dev/posteriordb."""

import json
import sys
from pathlib import Path
from zipfile import ZipFile

EVERY = 25
base = Path(sys.argv[1]) / "posterior_database"


def unzipped(path):
    with ZipFile(base / path) as archive:
        return json.loads(archive.read(archive.namelist()[0]))


for model, points in {"low_dim_gauss_mix": 100, "hmm_example": 0}.items():
    name = f"{model}-{model}"
    kept = [{k: [float(f"{v:.6g}") for v in several[::EVERY]] for k, several in chain.items()}
            for chain in unzipped(f"reference_posteriors/draws/draws/{name}.json.zip")]
    mean = base / f"reference_posteriors/summary_statistics/mean_value/mean_value/{name}.json"
    published = json.loads(mean.read_text())
    data = [round(v, 4) for v in unzipped(f"data/data/{model}.json.zip")["y"][:points]]
    new = {"published": published, "y": data, "draws": kept}
    Path(f"posteriordb-{model}.json").write_text(json.dumps(new, separators=(",", ":")))

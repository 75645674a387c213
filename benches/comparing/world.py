"""What is asked, of whom, under which rules: catalogues of any size, queries, adapter answers.

Every dataset is a copy of the project's own civil.subsistence with one long field more. The system
that asks has its rules among those of many others, and a grant for what is not free to all.
"""

import itertools
import json
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PURPOSES = ["housing-aid.review", "livelihood.review", "medical-aid.review", "employment-aid.review",
            "release.resettlement"]
SYSTEM = "service.onestop"
OTHER_SYSTEMS = 48

# What is asked for: the dataset, how many bytes the adapter answers, and how often of ten.
SMALL = "civil.d0000"
MIX = {"civil.d0001": (2_000, 3), "civil.d0002": (10_000, 6), "civil.d0003": (100_000, 1)}
SIZES = {SMALL: 200, **{dataset: size for dataset, (size, _) in MIX.items()}}


def write_catalogue(folder: Path, datasets: int, rules: int) -> None:
    """Writes schemas/ and policies/ with `rules` rules in all, equally many for each dataset."""
    for part in ["schemas", "policies/rules"]:
        (folder / part).mkdir(parents=True)
    for file in ["schemas/departments.toml", "schemas/purposes.toml", "policies/model.conf", "policies/roles.conf",
                 "policies/roles.csv", "policies/calendar.toml"]:
        shutil.copy(ROOT / file, folder / file)
    (folder / "policies/workflow.toml").write_text(workflow())
    (folder / "policies/systems.toml").write_text("".join(map(system, [SYSTEM, *others()])))
    schema = json.loads((ROOT / "schemas/civil.subsistence.json").read_text())
    schema["properties"]["file"] = {
        "title": "案卷", "x-title-en": "File", "type": "string",
        "x-sharing": {"class": "unconditional", "level": "internal", "basis": "《社会救助暂行办法》",
                      "forms": {"exists": {}, "plain": {}}}}
    text = json.dumps(schema, ensure_ascii=False)
    names = [f"civil.d{number:04}" for number in range(datasets)]
    for name in names:
        (folder / f"schemas/{name}.json").write_text(text.replace("civil.subsistence", name))
        write_rules(folder, name, rules // datasets)
    (folder / "policies/grants.toml").write_text("".join(map(grant, names)))


def workflow() -> str:
    """The repository's workflow, without what it says of datasets that are not in this catalogue."""
    blocks = re.split(r"(?m)^(?=\[)", (ROOT / "policies/workflow.toml").read_text())
    ours = ("[[stages.dataset]]", "[[toxic]]", "[[emergency.dataset]]")
    return "".join(block for block in blocks if not block.startswith(ours))


def write_rules(folder: Path, dataset: str, count: int, denied: bool = False) -> None:
    """Writes the rules of a dataset; `denied` takes the status away from everybody."""
    asked = [(SYSTEM, field, "housing-aid.review", "plain") for field in ["status", "category", "file"]]
    rest = ((who, field, purpose, form)
            for who, (field, form), purpose in itertools.product(
                others(), [("status", "plain"), ("household_size", "band"), ("category", "plain")], PURPOSES))
    lines = [f"p, {who}, {dataset}, {field}, {purpose}, {form}, allow, R{number:04}\n"
             for number, (who, field, purpose, form) in enumerate(itertools.islice(
                 itertools.chain(asked, rest), count - denied))]
    if denied:
        lines.append(f"p, *, {dataset}, status, *, exists, deny, R9000\n")
    (folder / f"policies/rules/{dataset}.csv").write_text("".join(lines))


def others() -> list[str]:
    return [f"service.desk{number:02}" for number in range(OTHER_SYSTEMS)]


def system(name: str) -> str:
    return f'[[system]]\nid = "{name}"\ndepartment = "service"\ntitle = {{ zh = "系统", en = "System" }}\n\n'


def grant(dataset: str) -> str:
    return (f'[[grant]]\nid = "G-{dataset.rsplit("d", 1)[1]}"\ndataset = "{dataset}"\ndepartment = "service"\n'
            f'systems = ["{SYSTEM}"]\npurpose = "housing-aid.review"\nfields = [\n'
            '  { field = "name", form = "mask" },\n'
            '  { field = "monthly_income", form = "predicate", compare = [{ op = "<", value = 3000 }] },\n]\n'
            'valid_from = "2020-01-01"\nvalid_until = "2099-12-31"\nper_day = 1000000000\n'
            'basis = "《社会救助暂行办法》"\n\n')


def query(dataset: str) -> bytes:
    """Four fields of one person, one masked, one a predicate."""
    last = "category" if dataset == SMALL else "file"
    return json.dumps({
        "purpose": "housing-aid.review", "case": "QZ-2026-000123", "operator": "hc-0231",
        "subjects": [{"id_number": "11010519491231002X"}],
        "fields": ["status", last, {"field": "name", "form": "mask"},
                   {"field": "monthly_income", "form": "predicate", "op": "<", "value": 3000}],
    }).encode()


def path(dataset: str) -> str:
    return f"/v1/datasets/{dataset}/query"


def adapter_answer(dataset: str) -> bytes:
    """What the adapter says, filled up to its size."""
    record = {"status": "receiving", "category": "urban", "name": "王小兰", "monthly_income": 2800}
    answer = {"protocol": "sluice-adapter/1", "records": [record]}
    # The small answer is filled with a field that nobody asked for and that is dropped.
    filler = "note" if dataset == SMALL else "file"
    record[filler] = ""
    room = SIZES[dataset] - len(json.dumps(answer, ensure_ascii=False).encode())
    record[filler] = "x" * room
    return json.dumps(answer, ensure_ascii=False).encode()

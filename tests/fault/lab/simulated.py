"""R2: seeds of the simulator, and a look whether it finds what is broken.
SPDX-License-Identifier: Apache-2.0"""
import re
import subprocess

from support.shop import build_folder

from .books import expect
from .jobs import Job

NEEDS_SQL = False
ALONE = False
BROKEN = ("new-key", "no-fence", "no-void", "no-cas")


def simulate(*args: str) -> str:
    program = build_folder() / "tests" / "fault" / "simulator"
    expect(program.exists(), f"{program} is not built")
    done = subprocess.run([program, *args], capture_output=True, text=True, timeout=600, check=False)
    expect(done.returncode == 0, f"simulator {' '.join(args)}: {done.stdout.strip()[-500:]}")
    return done.stdout.strip().splitlines()[-1]


def seeds_job(job: Job, seeds: int) -> dict:
    said = [simulate("--seeds", str(seeds)) for _ in range(2)]
    expect(said[0] == said[1], f"the same seeds took another course: {said}")
    for broken in BROKEN:
        simulate(f"--broken={broken}", "--seeds", "1000")
    return {"seeds": seeds, "said": re.sub(r"^\d+ seeds, ", "", said[0]), "broken": len(BROKEN)}


def make_jobs(short: bool) -> list[tuple]:
    return [("seeds", seeds_job, (10000 if short else 100000,))]


def judge(total: dict) -> str:
    return (f"{total['seeds']} seeds twice: {total['said']} both times; "
            f"{total['broken']} broken sagas were found out")

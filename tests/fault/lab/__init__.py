"""tests/fault/lab: what the experiments are made of (see ../README.md). SPDX-License-Identifier: Apache-2.0"""
import pathlib
import sys

E2E = pathlib.Path(__file__).resolve().parents[2] / "e2e"
if str(E2E) not in sys.path:
    sys.path.insert(0, str(E2E))  # the shops and clients of the end-to-end tests

"""The experiments by name, in the order of ../../../README's reliability bar. SPDX-License-Identifier: Apache-2.0"""
from . import kills

ALL = {"R1": kills}

"""The experiments by name, in the order of the reliability bar. SPDX-License-Identifier: Apache-2.0"""
from . import crashes, drains, errors, keys, kills, poison, races, simulated

ALL = {"R1": kills, "R2": simulated, "R3": races, "R4": keys, "R10": poison, "R18": drains,
       "R19": crashes, "CALLS": errors}

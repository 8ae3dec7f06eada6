"""tests/e2e/support: starting real shops and talking to them. SPDX-License-Identifier: Apache-2.0"""

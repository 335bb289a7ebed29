"""Sizes from which on detection goes other ways, made so small that programs of a few elements do."""

import importlib


LIMITS = {
    "asdex.detection.dependence._index_sets": {
        "_PART": 4,
        "_DENSE_ADVANTAGE": 1,
        "_DENSE_CELLS": 40,
    },
    "asdex.detection.dependence._terms": {
        "_PART": 4,
        "_SHARING_PAYS": 1,
        "_WELL_FILLED": 2,
        "_SAMPLE": 2,
    },
    "asdex.detection.dependence._joined_terms": {"MAX_TERMS": 2},
    "asdex.detection.dependence._dependence": {"MAX_TERMS": 2},
    "asdex.detection.known._computing": {"_SMALL": 4, "_RECURRING": 1},
    "asdex.detection.facts._facts": {"_MAX_DEPTH": 3},
    "asdex.detection.facts._index_cases": {"_MAX_EQUATIONS": 3},
    "asdex._sets": {"_PART": 3},
    "asdex.pattern._indices": {"_PART": 3},
    "asdex.rules.loop_powers": {"_BLOCK": 20},
    "asdex.rules.loop_states": {"_FEWER_STEPS": 1},
    "asdex.rules.loop_writes": {"FEW_STEPS": 1, "_MOST_ELEMENTS": 200},
    "asdex.rules.loops": {"FEW_STEPS": 1, "FOLLOWED_STEPS": 2, "_MANY_STEPS": 5},
    "asdex.rules.while_loops": {"FOLLOWED_STEPS": 2},
    "asdex.rules.loop_bodies": {"_ROUNDS": 1},
    "asdex.rules.indexing": {"MAX_CANDIDATES": 2},
    "asdex.rules.dynamic_slices": {"MAX_CANDIDATES": 2},
}


def lower(set_attribute=setattr):
    """Set all limits, by `pytest`'s `monkeypatch.setattr` or for good."""
    for name, values in LIMITS.items():
        module = importlib.import_module(name)
        for limit, value in values.items():
            assert hasattr(module, limit), (name, limit)
            set_attribute(module, limit, value)

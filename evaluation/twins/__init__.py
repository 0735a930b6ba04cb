"""The counterfactual set: pairs of rendered videos under one question, scored by pairs."""

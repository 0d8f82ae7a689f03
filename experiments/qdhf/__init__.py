"""QDHF (Ding et al. 2024) reproduced, its neighbours, and our robust learner, judged on one ground-truth archive."""

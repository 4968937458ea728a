"""Judging frozen features on a target task: linear classifiers, support vector machines, nearest neighbours."""

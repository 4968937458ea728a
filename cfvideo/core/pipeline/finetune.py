"""Fine-tuning as a yardstick: the judged network trained on a target, then its own classifier's score."""

from __future__ import annotations

import dataclasses
from functools import partial

from cfvideo.core.flops import TRAINING_FACTOR
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.solver_keys import solver_keys
from cfvideo.core.pipeline.training import TRAIN_VERSION
from cfvideo.core.pipeline.transfer import score_stage
from cfvideo.core.recipes import recipe, without_task
from cfvideo.core.stage import Cost, Stage, Workspace
from cfvideo.core.stages.train import run_train
from cfvideo.core.training.objectives import LabelObjective, Objective


def finetune_stages(context: Context, seed: int, name: str, network: Stage, target: str) -> list[Stage]:
    """The whole network trained on a target's training split from where it stands, and its score on the test split.

    A row of several labels learns one of them, picked for good, and is right with any (Sports-1M's hit@k). What the
    network learned from before, a pretext task perhaps, turns and cuts no picture here.
    """
    (train, test), solver = context.data.targets[target], context.spec.finetune.solver
    about = {"seed": seed, "network": name, "target": target}

    def objective_of(_work: Workspace) -> Objective:
        return LabelObjective([train.picked_labels(seed)], [train.label_names])

    spec = dataclasses.replace(context.network(name), solver=solver)
    drawn = recipe(spec, "finetune", seed, solver_key="FINETUNE.SOLVER",
                   fewest_items=context.fewest_items(name, whole=True))
    unmirrored = {} if context.spec.d_tar[target].flip else {"flip": False}
    own = dataclasses.replace(drawn, architecture=without_task(context.architecture(name)),
                              view={**without_task(context.view(name)), **unmirrored})
    keys = {**unmirrored, **context.view_keys(name), **context.common, **context.identity_of(train), "SEED": seed,
            **solver_keys(context, name, solver, "FINETUNE.SOLVER", whole=True)}
    run = partial(run_train, modality=context.modality, index=train, recipe=own, reading=context.reading,
                  objective_of=objective_of, max_bad_share=context.spec.data.max_bad_share, device=context.device,
                  starts_from="network")
    cost = Cost(solver.max_samples, float(TRAINING_FACTOR * solver.max_samples * context.clip_flops(name, whole=True)))
    tuned = Stage("finetune", f"seed {seed}: {name} on {target}", keys, {"network": network}, run, cost, about,
                  version=TRAIN_VERSION, by_all=True)
    score = score_stage(context, name, tuned, test)
    return [tuned, dataclasses.replace(score, role=f"seed {seed}: {name} fine-tuned on {target}", about=about)]

"""Packaging of ClusterFit for video: what it needs and the extras that widen it."""

from pathlib import Path

from setuptools import find_packages, setup

LINUX = "sys_platform == 'linux'"
LINUX_X86 = f"{LINUX} and platform_machine == 'x86_64'"

# An upper bound stands only where a known break lies above it: PyAV 19 returns other types for rates. PyAV 17 is the
# last for Python 3.10.
REQUIRED = [
    "av>=17,<19",
    "fvcore>=0.1.5.post20221221",
    "jinja2>=3.1",
    "markupsafe>=2.1",
    "matplotlib>=3.8",
    "numpy>=1.26",
    "pillow>=10.3",
    "pyarrow>=17",
    "pyyaml>=6.0.1",
    "rich>=13",
    "safetensors>=0.4.3",
    "scikit-learn>=1.5",
    "scipy>=1.13",
    "tensorboard>=2.16",
    "threadpoolctl>=3.2",
    "torch>=2.10,<2.16",
    "torchvision>=0.25,<0.31",
]

DALI = f"nvidia-dali-cuda130>=2.4,<3; {LINUX}"
DEMO = ["mlxtend>=0.23"]

EXTRAS = {
    # faiss-cpu and faiss-gpu install the same module: exactly one of `cpu` and `gpu` belongs in an environment.
    "cpu": ["faiss-cpu>=1.11"],
    "gpu": [f"faiss-gpu>=1.15.1; {LINUX_X86}", DALI],
    # 5,000 handwritten digits that the demo's videos are made of.
    "demo": DEMO,
    "test": [
        *DEMO,
        DALI,  # its CPU twin is tested
        f"decord==0.6.0; {LINUX_X86}",  # no other wheels exist
        "hypothesis>=6.100",
        "mypy>=1.15",
        "pytorchvideo==0.1.5",  # its samplers and readers are what ours are compared with
        "pytest>=8.2",
        "pytest-timeout>=2.3",
        "ruff>=0.9",
        "types-PyYAML",
    ],
}

setup(
    name="clusterfit-video",
    version="0.1.0",
    description="ClusterFit for video: cluster the features of a network trained on noisy tags, train anew on the "
                "cluster ids",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["cfvideo*", "cfimage*"]),
    package_data={"cfvideo": ["py.typed"], "cfvideo.core.report": ["templates/*"],
                  "cfvideo.core.inspection": ["templates/*"],
                  "cfimage": ["py.typed", "jigsaw_permutations.txt"]},
    install_requires=REQUIRED,
    extras_require=EXTRAS,
)

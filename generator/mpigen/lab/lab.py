"""A lab: a Swarm of several nodes on one machine, made, listed, filled and removed."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from mpigen.errors import ClusterError, InputError
from mpigen.lab import engine, machine, nodes
from mpigen.lab.engine import blame
from mpigen.lab.machine import Say
from mpigen.lab.nodes import LABEL, Node

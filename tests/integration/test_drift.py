"""Odd records and drift on a real server: each record has its fate, and the counts are exact."""

import json
import threading
from random import Random

import pytest

from ingestion.batch import Batch
from ingestion.drift import parameters
from ingestion.sql import migrations, query
from ingestion.warehouse import positions, write_batch
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import ROOT, Settings
from tests.events import NOW

CASES = [json.loads(line) for line in (ROOT / "tests/fixtures/bad_events.ndjson").read_text().splitlines()]

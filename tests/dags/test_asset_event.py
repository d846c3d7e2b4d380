"""What another DAG learns from the asset event: rows and billed cost of each month, no digit lost."""

import json
import re
from decimal import Decimal
from pathlib import Path

from pipeline import JANUARY

from cloud_costs.months import next_month

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


def test_documented_consumer_reads_rows_and_costs_from_the_event(
    run_dag, bucket_on_s3, query, tmp_path, capfd, monkeypatch
):
    from airflow.dag_processing.dagbag import DagBag

    months = [JANUARY, next_month(JANUARY)]
    truths = {month: bucket_on_s3.deliver("cup", month) for month in months}
    run = run_dag(sources=["cup"])
    assert run.state == "success"

    [code] = [
        block for block in re.findall(r"```python\n(.+?)```", OPERATIONS.read_text(), re.DOTALL) if "COSTS" in block
    ]
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "tell_finance.py").write_text(code)
    bag = DagBag(str(tmp_path / "dags"), collect_dags=True)
    assert bag.import_errors == {}
    consumer = bag.dags["tell_finance"]
    # dag.test() takes only what lies in a bundle.
    bundles = [{"name": "dags-folder", "classpath": BUNDLE, "kwargs": {}}]
    bundles.append({"name": "documented", "classpath": BUNDLE, "kwargs": {"path": str(tmp_path / "dags")}})
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    assert [asset.name for asset in consumer.schedule] == ["cloud_costs"]
    capfd.readouterr()
    assert str(consumer.test().state) == "success"
    said = "".join(capfd.readouterr())
    for month, truth in truths.items():
        [found] = re.findall(rf"cup {month:%Y-%m} {truth.raw_lines} ([0-9.]+) USD", said)
        assert Decimal(found) == truth.billed_cost
        [(exact,)] = query("select billed_cost ->> 'USD' from load_history where billing_period = %s", month)
        assert found == exact

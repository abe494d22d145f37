"""Tests of the table: which measurements belong together, and what counts as met."""

import json
import pathlib
import tempfile
import unittest

import measure
import table


def run(step, round_number, seconds, **more):
    return {"type": "run", "step": step, "round": round_number, "seconds": seconds, "cpu_seconds": seconds, **more}


def recovery(inserted, left, there=0):
    counters = {"inserted": inserted, "replaced": 0, "unchanged": there, "moved": 0, "scanned": inserted + there}
    side = dict.fromkeys(("hidden_inserted", "hidden_unchanged", "hidden_left", "dumpster_inserted", "queued_left"), 0)
    return {"report": {"counters": counters, "side": {**side, "dumpster_left": left}}, "totals": {"mailboxes": 1}}


class Tables(unittest.TestCase):
    def records(self, *lines):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "records"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            return table.Records(path)

    def test_a_ratio_is_made_of_two_measurements_of_one_round(self):
        records = self.records(
            run("main.check", "1", 2.0), run("main.cat", "1", 1.0), run("main.cat", "2", 4.0), run("main.check", "2", 2.0)
        )
        self.assertEqual(records.ratios("main.check", "main.cat"), [2.0, 0.5])
        line = table.scanning(records)
        self.assertEqual((line["low"], line["measured"], line["high"]), (0.5, 1.25, 2.0))
        self.assertEqual(line["verdict"], "met")

    def test_a_round_without_its_yardstick_does_not_count(self):
        records = self.records(run("main.check", "1", 2.0), run("main.cat", "2", 1.0))
        self.assertEqual(records.ratios("main.check", "main.cat"), [])
        self.assertIsNone(table.scanning(records))

    def test_verdicts(self):
        self.assertEqual(table.verdict(1.0, 1.3, 1.0), "met, stretch too")
        self.assertEqual(table.verdict(1.3, 1.3, 1.0), "met")
        self.assertEqual(table.verdict(1.31, 1.3, 1.0), "MISSED")
        self.assertEqual(table.verdict(1.8, 1.7, 1.9, at_least=True), "met")
        self.assertEqual(table.verdict(1.6, 1.7, 1.9, at_least=True), "MISSED")

    def test_what_is_left_out_is_taken_off_the_source(self):
        wrote = {"storage_write_bytes": 900, "call_write_bytes": 950, **recovery(inserted=90, left=10)}
        records = self.records({"type": "source", "step": "main.copy", "used_bytes": 1000}, run("main.copy", "1", 1.0, **wrote))
        self.assertEqual(table.amplifications(records, "main.copy"), [1.0])

    def test_a_merge_that_inserts_something_again_is_no_success(self):
        again = run("main.again", "1", 0.01, **recovery(inserted=1, left=0, there=99))
        line = table.repeating(self.records(again, run("main.cat", "1", 1.0)))
        self.assertIn("MISSED", line["verdict"])

    def test_memory_that_grows_with_the_store_is_no_success(self):
        def peak(at, mib):
            return run(f"memory.copy.{at}", "1", 1.0, rss_anon_peak_bytes=mib << 20)

        self.assertEqual(table.memory(self.records(peak("low", 200), peak("high", 210)), "copy", "")["verdict"], "met")
        grown = table.memory(self.records(peak("low", 100), peak("high", 210)), "copy", "")
        self.assertEqual(grown["verdict"], "MISSED: apart")
        large = table.memory(self.records(peak("low", 330), peak("high", 330)), "copy", "")
        self.assertEqual(large["verdict"], "MISSED")

    def test_more_workers_are_not_judged_where_the_disk_is_waited_for(self):
        one, two = run("main.one", "1", 2.0), run("main.two", "1", 1.9)
        self.assertEqual(table.speeding_up(self.records(one, two), "main", "")["verdict"], "MISSED")
        one["cpu_seconds"] = 1.0
        line = table.speeding_up(self.records(one, two), "main", "")
        self.assertEqual(line["verdict"], "no judgement: not CPU-bound")


class Measuring(unittest.TestCase):
    def test_a_command_is_timed_and_its_report_kept(self):
        lines = '{"type":"mailbox","bytes_before":1,"bytes_after":4}\\n{"type":"report","x":1}'
        status, record = measure.measure(["sh", "-c", f"sleep 0.1; printf '{lines}\\n'"])
        self.assertEqual(status, 0)
        self.assertGreaterEqual(record["seconds"], 0.1)
        self.assertEqual(record["report"]["x"], 1)
        self.assertEqual(record["totals"], {"mailboxes": 1, "item_bytes": 3})
        self.assertEqual(record["call_write_bytes"], 0)

    def test_memory_is_seen_and_a_failure_is_told(self):
        command = ["python3", "-c", "import time; x = bytearray(50 << 20); time.sleep(0.2); exit(3)"]
        status, record = measure.measure(command)
        self.assertEqual(status, 3)
        self.assertGreater(record["rss_anon_peak_bytes"], 50 << 20)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The corpus's own judgement, on histories that are made up: what is missed, what is named wrongly and
when must count."""

import sys
import unittest

sys.dont_write_bytecode = True

import run
import truth

LEAK = truth.leak("program", "leaks", "heap", "culprit", "", also=(("heap", "companion"),))
CONTROL = truth.control("program", "healthy", "heap", "", quiet_after=5)


def history(*rising):
    """Forty summaries; `rising` are (resource, function, first second, last second)."""
    entries = []
    for number in range(1, 41):
        now = number * 0.5
        sites = [{"resource": resource, "function": function, "growth_bytes_per_s": 1,
                  "verdict": "rising" if first <= now <= last else "steady"}
                 for resource, function, first, last in rising]
        entries.append({"uptime_s": now, "sites": sites})
    return entries


def result_of(case, *runs):
    result = run.Result(case, "sampled")
    result.runs = [run.judge(case, 1, entries) for entries in runs]
    return result


class Judgement(unittest.TestCase):
    def test_a_leak_is_named_by_its_own_site(self):
        outcome = run.judge(LEAK, 1, history(("heap", "culprit", 4, 20)))
        self.assertTrue(outcome.is_right(LEAK))
        self.assertAlmostEqual(outcome.named_after, 3 / truth.INTERVAL_S)

    def test_a_leak_named_once_and_no_more_is_named(self):
        self.assertTrue(run.judge(LEAK, 1, history(("heap", "culprit", 4, 4))).is_right(LEAK))

    def test_another_site_or_kind_is_no_name(self):
        for other in (("heap", "stranger"), ("socket", "culprit")):
            outcome = run.judge(LEAK, 1, history((*other, 10, 20)))
            self.assertIsNone(outcome.named_after)
            self.assertEqual(list(outcome.alarms), [other])

    def test_what_grows_along_may_be_named_too(self):
        outcome = run.judge(LEAK, 1, history(("heap", "culprit", 4, 20), ("heap", "companion", 4, 20)))
        self.assertTrue(outcome.is_right(LEAK))

    def test_one_alarm_in_the_middle_counts(self):
        self.assertFalse(run.judge(CONTROL, 1, history(("heap", "any", 9, 9))).is_right(CONTROL))

    def test_an_alarm_during_the_start_does_not(self):
        self.assertTrue(run.judge(CONTROL, 1, history(("heap", "any", 2, 6))).is_right(CONTROL))

    def test_no_history_is_no_verdict(self):
        self.assertFalse(run.judge(CONTROL, 1, []).is_right(CONTROL))


class Figures(unittest.TestCase):
    def test_a_missed_leak_and_a_false_alarm_lower_them(self):
        missed = result_of(LEAK, history())
        alarm = result_of(CONTROL, history(("file", "any", 10, 20)))
        table = run.figures([missed, alarm], only_first=True)
        self.assertEqual((table["heap"]["leaks"], table["heap"]["named"]), (1, 0))
        self.assertEqual(table["file"]["wrong"], 1)

    def test_two_of_three_decide(self):
        wrong, right = history(("heap", "any", 10, 20)), history()
        once = result_of(CONTROL, wrong, right, right)
        twice = result_of(CONTROL, wrong, right, wrong)
        self.assertEqual(run.figures([once], only_first=False)["heap"]["wrong"], 0)
        self.assertEqual(run.figures([twice], only_first=False)["heap"]["wrong"], 1)
        self.assertEqual(run.figures([once], only_first=True)["heap"]["wrong"], 1)


class Labels(unittest.TestCase):
    def test_there_are_twenty_of_each_and_no_two_alike(self):
        names = [(case.program, case.case) for case in truth.CASES]
        self.assertEqual(len(names), len(set(names)))
        leaks = sum(case.leaks for case in truth.CASES)
        self.assertGreaterEqual(min(leaks, len(truth.CASES) - leaks), 20)


if __name__ == "__main__":
    unittest.main()

"""What appeared on an image is told as strongly as what was lost."""

from core.analysis.image_curves import FindingFate
from core.wording.image_sentences import fates_told, headlines

LOST = FindingFate("Hernia", True, "lost", 0.8, 2, 3, dense_mean=0.6, last_mean=0.1)
RAISED = FindingFate("Infiltration", False, "raised", 0.7, 3, 3, dense_mean=0.006, last_mean=0.73)
STAYS = FindingFate("Mass", True, "stays", dense_mean=0.9, last_mean=0.9)


def test_one_of_each_leads_and_is_not_told_twice():
    assert headlines([LOST, STAYS, RAISED]) == [LOST, RAISED]
    assert headlines([STAYS, RAISED]) == [RAISED]
    assert headlines([STAYS]) == [STAYS]
    assert headlines([]) == []
    (told,) = fates_told([LOST, STAYS, RAISED])
    assert told.startswith("Mass")

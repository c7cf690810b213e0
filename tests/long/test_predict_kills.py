"A prediction that is killed again and again ends as one that was left alone."
import pytest
from helpers.predicting import killed, undisturbed


@pytest.mark.long
def test_twenty_kills_lose_nothing(tmp_path):
    assert killed(tmp_path/'killed', 2000, 20, 1)[0] == undisturbed(tmp_path/'straight', 2000)

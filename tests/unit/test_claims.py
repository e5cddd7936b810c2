"""What a consumer guesses of its batches' ids: a wrong guess is noticed and makes it wary."""

from ingestion.claims import REMEMBERED, WARY, Memory


def ids(*numbers: int) -> frozenset[str]:
    return frozenset(map(str, numbers))


def test_what_came_in_the_last_batches_is_suspect_and_nothing_else() -> None:
    memory = Memory()
    assert memory.guess(ids(1, 2)).suspects == ids()
    for number in range(REMEMBERED - 1):
        assert memory.guess(ids(2, 10 + number)).suspects == ids(2)
    assert memory.guess(ids(1, 2, 3)).suspects == ids(1, 2)
    assert memory.guess(ids(10, 4)).suspects == ids(10)


def test_a_wrong_guess_makes_all_ids_suspect_for_a_while_and_those_are_remembered_too() -> None:
    memory = Memory()
    guess = memory.guess(ids(1))
    guess.wrong = True
    memory.learn(guess)
    for number in range(WARY):
        assert memory.guess(ids(number, -1)).suspects == ids(number, -1)
    assert memory.guess(ids(WARY - 1, WARY)).suspects == ids(WARY - 1)

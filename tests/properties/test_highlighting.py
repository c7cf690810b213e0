"Highlighted text: every span in its place, nothing unescaped."
from html.parser import HTMLParser

from hypothesis import given, settings, strategies as st

from helpers.reports import EVIL
from iepile_nb.lib.spans import Span, find_spans, highlight
from iepile_nb.tasks import TASKS


class Marks(HTMLParser):
    "The text of highlighted HTML, and for each character the names of the spans around it."
    def __init__(self, html):
        super().__init__()
        self.text, self.around, self.open, self.tag = '', [], [], 0
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == 'mark': self.open.append(attrs['title'])
        if tag == 'span': self.tag += 1
        assert tag in ('div', 'mark', 'span')

    def handle_endtag(self, tag):
        if tag == 'mark': self.open.pop()
        if tag == 'span': self.tag -= 1

    def handle_data(self, data):
        if self.tag: return
        self.text += data
        self.around += [sorted(set(self.open))] * len(data)


def spans_of(text, cuts):
    ends = [(i, min(c), max(c)) for i, c in enumerate(cuts) if c[0] != c[1]]
    return [Span(f'L{i}{EVIL}', a, b, text[a:b]) for i, a, b in ends]


@settings(max_examples=200)
@given(text=st.text(st.sampled_from('ab 中😀é<&>"\n'), min_size=1, max_size=25), data=st.data())
def test_highlight_covers_exactly_the_spans(text, data):
    place = st.integers(0, len(text))
    spans = spans_of(text, data.draw(st.lists(st.tuples(place, place), max_size=6)))
    marks = Marks(highlight(text, spans))
    assert marks.text == text
    assert marks.around == [sorted(s.label for s in spans if s.start <= i < s.end) for i in range(len(text))]


@given(before=st.text(max_size=6), found=st.text(min_size=1, max_size=4), after=st.text(max_size=6))
def test_spans_are_code_points(before, found, after):
    text = before + found + after
    span, = find_spans(TASKS['NER'], {'x': [found]}, text)
    assert text[span.start:span.end] == span.text == found

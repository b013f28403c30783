# SPDX-License-Identifier: BSD-3-Clause
"""A flame graph as SVG: each frame is as wide as the samples in it, callers
below callees; a frame's title (hover over it) has the whole name and share.
"""

import hashlib
from xml.sax.saxutils import escape

WIDTH = 1200
ROW = 17
MARGIN = 10
CHARACTER = 6.5         # of the font, about
NARROWEST = 1.5         # what is narrower is left out


class Frame:
    def __init__(self):
        self.count = 0
        self.callees = {}

    def add(self, frames, count):
        self.count += count
        if frames:
            self.callees.setdefault(frames[0], Frame()).add(frames[1:], count)

    def depth(self):
        return 1 + max((callee.depth() for callee in self.callees.values()),
                       default=0)


def colour(name):
    """The same for a name in every picture."""
    digest = hashlib.md5(name.encode()).digest()
    return f"rgb({205 + digest[0] % 50},{80 + digest[1] % 130},{digest[2] % 55})"


class Picture:
    def __init__(self, root):
        self.per_sample = (WIDTH - 2 * MARGIN) / root.count
        self.total = root.count
        self.height = (root.depth() + 3) * ROW
        self.lines = []

    def draw(self, name, frame, x, level):
        width = frame.count * self.per_sample
        if width < NARROWEST:
            return
        y = self.height - (level + 2) * ROW
        title = escape(f"{name}: {frame.count / self.total:.1%}")
        text = escape(name[:max(0, int((width - 4) / CHARACTER))])
        if text:
            text = f'<text x="{x + 2:.1f}" y="{y + 12}">{text}</text>'
        self.lines.append(
            f'<g><title>{title}</title><rect x="{x:.1f}" y="{y}" '
            f'width="{width:.1f}" height="{ROW - 1}" fill="{colour(name)}"/>'
            f'{text}</g>')
        for callee_name, callee in sorted(frame.callees.items()):
            self.draw(callee_name, callee, x, level + 1)
            x += callee.count * self.per_sample


def svg(title, stacks):
    """stacks: how often each tuple of frames was met, outermost first."""
    root = Frame()
    for frames, count in stacks.items():
        root.add(frames, count)
    picture = Picture(root)
    picture.draw("all", root, MARGIN, 0)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{picture.height}" font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{picture.height}" fill="white"/>',
        f'<text x="{MARGIN}" y="{ROW}" font-size="13">{escape(title)}'
        "</text>", *picture.lines, "</svg>", ""])

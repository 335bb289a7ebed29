from ._entries import compressed_forms as compressed_forms, Entries as Entries, is_known as is_known
from ._explanation import (
    chain_html as chain_html,
    chain_text as chain_text,
    explanation_html as explanation_html,
    explanation_text as explanation_text,
)
from ._html import coloring_html as coloring_html, pattern_html as pattern_html
from ._spy import plot as plot
from ._text import (
    cost_at_elements as cost_at_elements,
    describe_coloring as describe_coloring,
    describe_pattern as describe_pattern,
    draw_coloring as draw_coloring,
    draw_pattern as draw_pattern,
)

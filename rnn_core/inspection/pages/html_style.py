"""The style of every page: dark text on light, one column, from a phone to a projector and on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1b1b1b; --soft: #595959; --line: #d5d5d5; --shade: #f5f5f5; --link: #00568a; }
* { box-sizing: border-box; }
html { font-size: clamp(16px, 0.55vw + 12.5px, 23px); scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: #fff; color: var(--ink);
  font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif; line-height: 1.55;
  overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 0.5rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3rem 0 0.75rem; padding-top: 0.75rem;
  border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
p, ul, ol { max-width: 42rem; }
a { color: var(--link); }
nav ol { padding-left: 1.4rem; }
nav li { margin: 0.3rem 0; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { background: var(--shade); border-radius: 3px; padding: 0.05em 0.25em; font-size: 0.9em; }
.scroll { overflow-x: auto; margin: 1rem 0; background:
  linear-gradient(to right, #fff 30%, #fff0) left / 2rem 100% no-repeat local,
  linear-gradient(to left, #fff 30%, #fff0) right / 2rem 100% no-repeat local,
  linear-gradient(to right, #0003, #0000) left / 0.7rem 100% no-repeat scroll,
  linear-gradient(to left, #0003, #0000) right / 0.7rem 100% no-repeat scroll, #fff; } /* shadows: more to see */
.scroll:focus-visible { outline: 2px solid var(--link); }
pre { margin: 0; padding: 0.6rem 0 0.6rem 0.8rem; border-left: 3px solid var(--line); font-size: 0.82rem;
  line-height: 1.45; width: max-content; min-width: 100%; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
figcaption { color: var(--soft); font-size: 0.9rem; max-width: 42rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { border-bottom: 2px solid var(--ink); }
td.number, th.number { text-align: right; }
th, td { white-space: nowrap; }
td.long { white-space: normal; min-width: 14rem; }
tbody th { font-weight: 600; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; max-width: 58rem; height: auto; }
figure.diagram img { width: var(--width); max-width: none; }
@media (min-width: 601px) { figure.diagram img { max-width: 100%; } }
@media (max-width: 600px) {
  figure.diagram img { width: max(min(var(--width), 100%), 0.7 * var(--width)); }
  th.long { white-space: normal; min-width: 7.5rem; }
  th, td { padding-right: 0.7rem; }
}
figcaption { margin: 0.5rem 0; }
figure .scroll { margin: 0.5rem 0; }
.answer { border-left: 5px solid #0072B2; padding: 0.1rem 0 0.1rem 1rem; background: #eef6fb; }
.finding { border-left: 5px solid #8c8c8c; padding: 0.1rem 0 0.1rem 1rem; margin: 1rem 0; }
.finding.problem { border-color: #D55E00; }
.finding.warning { border-color: #E69F00; }
.finding b:first-child { text-transform: uppercase; font-size: 0.85em; letter-spacing: 0.04em; }
.blank { display: inline-block; min-width: 3.4rem; height: 1.3em; border-bottom: 1.5px solid var(--ink);
  vertical-align: baseline; }
.filled { font-weight: 700; color: #00568a; }
@page { size: A4; margin: 16mm; }
@media print {
  html { font-size: 10.5pt; }
  body { max-width: none; padding: 0; }
  .scroll { overflow: visible; background: none; }
  th, td { white-space: normal; }
  h2 { margin: 1rem 0 0.4rem; padding-top: 0.5rem; }
  .worksheet section { break-inside: avoid; }
  .worksheet figure { margin: 0.5rem 0; }
  .worksheet figure.diagram img { width: 55%; }
  .worksheet td { line-height: 1.8; white-space: nowrap; }
  .worksheet td .blank { min-width: 2.1rem; }
  h2, h3 { break-after: avoid; }
  figure, tr, .finding, .answer, pre { break-inside: avoid; }
  pre { white-space: pre-wrap; width: auto; }
  figure.diagram img { max-width: 100%; }
  a { color: inherit; text-decoration: none; }
}
"""

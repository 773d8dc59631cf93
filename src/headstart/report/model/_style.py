"""How a report looks: on a phone, on paper, light and dark."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2127; --soft: #59616c; --paper: #fff; --card: #f6f7f9; --line: #d9dde3;
  --good: #00714a; --bad: #a3001b; --mark: #fff0d6; --heat: 0, 114, 178;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b5588f; --s4: #3a9bd9; --s5: #c08400; --s6: #1d2127; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a5adb8; --paper: #15181c; --card: #1f2329;
  --line: #3a4049; --good: #4fd1a1; --bad: #ff8b98; --mark: #4a3a17; --heat: 78, 163, 220;
  --s0: #4ea3dc; --s1: #ff8a4c; --s2: #3ecf9f; --s3: #e39cc7; --s4: #9ad4f7; --s5: #f0c04a; --s6: #e8eaed; } }
* { box-sizing: border-box; }
body { color: var(--ink); background: var(--paper); max-width: 58rem; margin: 0 auto; padding: 1.2rem 1rem 4rem;
  line-height: 1.55; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line);
  scroll-margin-top: .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, ul, dl { margin: .5rem 0; max-width: 46rem; }
ul { padding-left: 1.2rem; }
a { color: var(--s0); }
.lead { color: var(--soft); margin: .2rem 0 1rem; }
.note, figcaption, .soft { color: var(--soft); font-size: .88rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.1rem; }
.big { font-size: 2.4rem; font-weight: 700; line-height: 1.1; margin: 0; font-variant-numeric: tabular-nums; }
.big small { font-size: 1rem; font-weight: 400; color: var(--soft); }
.verdict { font-size: 1.08rem; font-weight: 600; margin: .8rem 0 .2rem; padding-left: .7rem;
  border-left: 5px solid var(--soft); }
.verdict.yes { border-color: var(--good); } .verdict.no { border-color: var(--bad); }
.warn { background: var(--mark); border-radius: 6px; padding: .5rem .7rem; }
blockquote mark { color: inherit; background: rgba(var(--heat), calc(.12 + .45 * var(--w))); border-radius: 2px; }
nav { font-size: .9rem; margin: 1rem 0; }
nav ol { display: flex; flex-wrap: wrap; gap: .15rem .9rem; padding: 0; margin: .3rem 0; list-style: none; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { margin: 0; grid-column: 2; min-width: 0; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem;
  overflow-x: auto; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 46rem; }
figure { margin: .8rem 0; max-width: 36rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 1.5rem; }
.wide { overflow-x: auto; max-width: 100%; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; white-space: nowrap;
  padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; min-width: 6rem; }
.left { text-align: left; }
th.left, td.left { white-space: normal; overflow-wrap: normal; } td.left { min-width: 9rem; }
.matrix td, .matrix thead th { padding: .3rem .5rem; text-align: center; min-width: 2.6rem;
  border: 1px solid var(--line); }
.matrix thead th { max-width: 8rem; overflow-wrap: anywhere; }
.chart { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: currentColor; }
.tick { fill: var(--soft); font-size: 12px; } .strong { font-weight: 650; }
.grid { stroke: var(--line); } .even { stroke: var(--soft); stroke-dasharray: 5 4; }
.frame { fill: none; stroke: var(--line); }
.bar { stroke: var(--c); stroke-width: 5; stroke-linecap: round; opacity: .55; } .bar.thin { stroke-width: 2.5; }
.dot { fill: var(--c); stroke: var(--paper); stroke-width: 1.2; }
.dot.hollow { fill: var(--paper); stroke: var(--c); stroke-width: 2; }
.curve, .step { fill: none; stroke: var(--c); stroke-width: 2.2; stroke-linejoin: round; }
.step { --c: var(--s0); stroke-dasharray: 2 3; }
.cloud { fill: none; stroke: var(--c); stroke-width: 5.5; stroke-linecap: round; opacity: .6; }
.cross { fill: none; stroke: var(--c); stroke-width: 2.4; }
.keys { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .88rem; margin: 0 0 .3rem; }
.keys span::before { content: "●"; color: var(--c); margin-right: .35rem; }
.ink { fill: var(--c); }
.ours { --c: var(--s0); } .other { --c: var(--soft); }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
.s5 { --c: var(--s5); } .s6 { --c: var(--s6); }
.frozen { fill: var(--card); stroke: var(--line); } .trained { fill: var(--s1); }
.on-frozen { fill: var(--soft); font-size: 11px; }
.on-trained { fill: var(--paper); font-size: 11px; font-weight: 650; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); gap: .9rem; }
.items.broad { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.item { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem; font-size: .88rem;
  min-width: 0; break-inside: avoid; }
.item img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
.item p, .item blockquote { margin: .35rem 0 0; overflow-wrap: anywhere; }
.item audio { display: block; width: 100%; height: 2.4rem; margin: 0 0 .4rem; }
.item .spectrogram { width: 100%; height: 6rem; object-fit: fill; border: 1px solid var(--line); }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }
.meter { height: 5px; background: var(--line); border-radius: 3px; margin: .1rem 0 .3rem; }
.meter i { display: block; height: 100%; border-radius: 3px; background: var(--soft); }
@media (max-width: 34rem) { dl { display: block; } dd { margin: 0 0 .4rem; } .big { font-size: 2rem; }
  h1 { font-size: 1.4rem; } .card { padding: .8rem; } .chart { font-size: 14.5px; } .tick { font-size: 13.5px; }
  th, td { padding-right: .6rem; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --card: #fff; --line: #bbb;
  --good: #00543a; --bad: #900;
  --mark: #fff; --heat: 0, 114, 178; --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b5588f; --s4: #3a9bd9;
  --s5: #c08400; --s6: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav, audio { display: none !important; }
  h2 { break-after: avoid; } figure, .card, tr, .item { break-inside: avoid; } .wide { overflow: visible; }
  a { color: inherit; text-decoration: none; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

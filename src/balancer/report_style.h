// SPDX-License-Identifier: MIT
/* What the report's page looks like, on bright and dark screens and on paper. Constant. */
#pragma once

static const char report_style[] =
	":root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6876;--rule:#d5dbe2;--paper:#fff;"
	"--c1:#2f6fb2;--c2:#c4562a;--c3:#2e8b57;--c4:#7d57a8}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#9aa7b5;--rule:#37424e;"
	"--paper:#161b21;--c1:#6da9e4;--c2:#ee8a5c;--c3:#62c48d;--c4:#b394dc}}\n"
	"body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
	"max-width:1000px;margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.5em}h2{font-size:1.2em;margin:2em 0 .3em;border-bottom:1px solid "
	"var(--rule)}h3{font-size:1em;margin:1.2em 0 .2em}p,.soft{color:var(--soft)}\n"
	"table{border-collapse:collapse;width:100%;font-size:.87em}th,td{padding:.25em .6em;"
	"text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}"
	"td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
	".wide{overflow-x:auto}svg{width:100%;height:auto;display:block}"
	"svg text{font:11px system-ui,sans-serif;fill:var(--soft)}"
	"svg .end{text-anchor:end}svg .middle{text-anchor:middle}svg .unit{font-weight:600}\n"
	".grid{stroke:var(--rule)}.mark{stroke:var(--c2);stroke-dasharray:5 4}"
	".line{fill:none;stroke-width:1.6;stroke-linejoin:round}.area{fill-opacity:.22;"
	"stroke-width:1.4}\n"
	".c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}"
	".area.c1,.key.c1{fill:var(--c1)}.key.c2{fill:var(--c2)}.key.c3{fill:var(--c3)}"
	".key.c4{fill:var(--c4)}\n";

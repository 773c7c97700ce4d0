// SPDX-License-Identifier: MIT
/* Charts. See report_chart.h. */
#include "balancer/report_chart.h"

#include <string.h>
#include <time.h>

#include "vmm/utf8.h"

/* Of the picture, and of the part inside the scales; in its own units. */
#define WIDTH  900.0
#define HEIGHT 250.0
#define LEFT   64.0
#define RIGHT  836.0
#define TOP    34.0
#define BOTTOM 214.0

/* More points than that cannot be seen. */
#define POINTS_MAX 700
#define TICKS      4
#define TIME_TICKS 6

#define DAY_MS (24ull * 3600 * 1000)

/* --- Text. ---------------------------------------------------------------------------------- */

static void html_char(FILE *out, const char *p, size_t len)
{
	static const char special[] = "&<>\"'";
	static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
	const char *found = len == 1 ? memchr(special, *p, sizeof(special) - 1) : NULL;
	const bool control = (unsigned char)*p < 0x20 || *p == 0x7f;
	/* U+FFFE and U+FFFF are no characters of XML. */
	const bool none = len == 3 && memcmp(p, "\xef\xbf", 2) == 0 && (unsigned char)p[2] >= 0xbe;

	if (found)
		fputs(names[found - special], out);
	else if (control || none)
		fputc('?', out);
	else
		fwrite(p, 1, len, out);
}

void html_text(FILE *out, const char *text)
{
	const char *end = text + strlen(text);

	for (size_t len; text < end; text += len ? len : 1) {
		len = utf8_len(text, end);
		if (len)
			html_char(out, text, len);
		else
			fputc('?', out);
	}
}

void chart_time(uint64_t time_ms, uint64_t span_ms, char buf[32])
{
	const time_t t = (time_t)(time_ms / 1000);
	struct tm tm = {.tm_mday = 1};

	gmtime_r(&t, &tm);
	if (time_ms > 365 * DAY_MS && span_ms > 2 * DAY_MS)
		strftime(buf, 32, "%m-%d %H:%M", &tm);
	else if (time_ms <= 365 * DAY_MS && span_ms > 2 * DAY_MS)
		snprintf(buf, 32, "%llud %02d:%02d", (unsigned long long)(time_ms / DAY_MS),
			 tm.tm_hour, tm.tm_min);
	else
		strftime(buf, 32, span_ms > 15ull * 60 * 1000 ? "%H:%M" : "%H:%M:%S", &tm);
}

/* --- Scales. -------------------------------------------------------------------------------- */

struct scale {
	double max; /* from 0 */
	bool used;
};

/* The next of 1, 2, 2.5, 5, 10, ... so that a quarter of it is a good number, too. */
static double nice_above(double v)
{
	static const double steps[] = {1, 2, 4, 6, 8, 10};
	double power = 1;

	while (power * 10 <= v && power < 1e18)
		power *= 10;
	while (power > v && power > 1e-6)
		power /= 10;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i] * power >= v)
			return steps[i] * power;
	return v;
}

static struct scale scale_of(const struct chart *chart, bool right)
{
	struct scale scale = {.max = 0};

	for (size_t l = 0; l < chart->line_count; l++) {
		if (chart->lines[l].right != right)
			continue;
		scale.used = true;
		for (size_t i = 0; i < chart->n; i++)
			scale.max = max_of(scale.max, chart->lines[l].values[i]);
	}
	if (chart->line_count && chart->lines[chart->line_count - 1].right == right)
		scale.max = max_of(scale.max, chart->mark);
	scale.max = scale.max > 0 ? nice_above(scale.max) : 1;
	return scale;
}

static double x_of(const struct chart *chart, size_t i)
{
	const uint64_t first = chart->times_ms[0], last = chart->times_ms[chart->n - 1];

	if (last == first)
		return LEFT;
	return LEFT +
	       (RIGHT - LEFT) * (double)(chart->times_ms[i] - first) / (double)(last - first);
}

static double y_of(const struct scale *scale, double v)
{
	return BOTTOM - (BOTTOM - TOP) * v / scale->max;
}

static void write_scales(FILE *out, const struct chart *chart, const struct scale *left,
			 const struct scale *right)
{
	for (int i = 0; i <= TICKS; i++) {
		const double y = BOTTOM - (BOTTOM - TOP) * i / TICKS;

		fprintf(out,
			"<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			LEFT, RIGHT, y, y);
		if (left->used)
			fprintf(out, "<text class=\"end\" x=\"%.0f\" y=\"%.1f\">%.4g</text>",
				LEFT - 6, y + 4, left->max * i / TICKS);
		if (right->used)
			fprintf(out, "<text x=\"%.0f\" y=\"%.1f\">%.4g</text>\n", RIGHT + 6, y + 4,
				right->max * i / TICKS);
	}
	fprintf(out, "<text class=\"unit\" x=\"%.0f\" y=\"%.0f\">", 4.0, TOP - 10);
	html_text(out, chart->left);
	fputs("</text>", out);
	if (chart->right) {
		fprintf(out, "<text class=\"unit end\" x=\"%.0f\" y=\"%.0f\">", WIDTH - 4,
			TOP - 10);
		html_text(out, chart->right);
		fputs("</text>\n", out);
	}
}

static void write_times(FILE *out, const struct chart *chart)
{
	const uint64_t first = chart->times_ms[0], span = chart->times_ms[chart->n - 1] - first;
	char text[32];

	for (int i = 0; i <= TIME_TICKS; i++) {
		chart_time(first + span / TIME_TICKS * (uint64_t)i, span, text);
		fprintf(out, "<text class=\"middle\" x=\"%.1f\" y=\"%.0f\">%s</text>",
			LEFT + (RIGHT - LEFT) * i / TIME_TICKS, BOTTOM + 18, text);
	}
	fputc('\n', out);
}

/* --- Lines. --------------------------------------------------------------------------------- */

/* Of neighbours that fall together, the largest. */
static size_t next_point(const struct chart *chart, const double *values, size_t from, size_t *at)
{
	const size_t stride = chart->n / POINTS_MAX + 1;
	const size_t end = from + min_of(stride, chart->n - from);

	*at = from;
	for (size_t i = from; i < end; i++)
		if (values[i] > values[*at])
			*at = i;
	return end;
}

static void write_line(FILE *out, const struct chart *chart, const struct chart_line *line,
		       const struct scale *scale)
{
	size_t at = 0;

	fprintf(out, "<%s class=\"%s %s\" points=\"", line->area ? "polygon" : "polyline",
		line->area ? "area" : "line", line->style);
	if (line->area)
		fprintf(out, "%.1f,%.1f ", x_of(chart, 0), BOTTOM);
	for (size_t i = 0; i < chart->n;) {
		i = next_point(chart, line->values, i, &at);
		fprintf(out, "%.1f,%.1f ", x_of(chart, at), y_of(scale, line->values[at]));
	}
	if (line->area)
		fprintf(out, "%.1f,%.1f", x_of(chart, at), BOTTOM);
	fputs("\"/>\n", out);
}

static void write_legend(FILE *out, const struct chart *chart)
{
	double x = LEFT;

	for (size_t l = 0; l < chart->line_count; l++) {
		const struct chart_line *line = &chart->lines[l];

		fprintf(out,
			"<rect class=\"key %s\" x=\"%.0f\" y=\"%.0f\" width=\"14\" height=\"4\"/>",
			line->style, x, HEIGHT - 12);
		fprintf(out, "<text x=\"%.0f\" y=\"%.0f\">", x + 20, HEIGHT - 6);
		html_text(out, line->label);
		fputs("</text>\n", out);
		x += 40 + 7 * (double)strlen(line->label);
	}
}

void chart_write(FILE *out, const struct chart *chart)
{
	const struct scale left = scale_of(chart, false), right = scale_of(chart, true);

	if (chart->n == 0)
		return;
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
		"viewBox=\"0 0 %.0f %.0f\"><title>",
		WIDTH, HEIGHT);
	html_text(out, chart->title);
	fputs("</title>\n", out);
	write_scales(out, chart, &left, &right);
	write_times(out, chart);
	for (size_t l = 0; l < chart->line_count; l++)
		write_line(out, chart, &chart->lines[l], chart->lines[l].right ? &right : &left);
	if (chart->mark > 0 && chart->line_count) {
		const bool is_right = chart->lines[chart->line_count - 1].right;
		const double y = y_of(is_right ? &right : &left, chart->mark);

		fprintf(out,
			"<line class=\"mark\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
			LEFT, RIGHT, y, y);
	}
	write_legend(out, chart);
	fputs("</svg>\n", out);
}

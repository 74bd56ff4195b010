// Prometheus as Grafana's data source sees it: queries with their variables filled in, and answers as data frames.
import { rangeUtil } from '@grafana/data';

const instant = (target) => target.instant === true;

// fill puts the values of variables into every text of a value.
export function fill(value, world) {
  if (typeof value === 'string') {
    return value.replace(/\$\{?(\w+)\}?/g, (all, name) => world.variables[name] ?? all);
  }
  if (Array.isArray(value)) return value.map((v) => fill(v, world));
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, fill(v, world)]));
  }
  return value;
}

// ask returns the result of a target's query over the time of the dashboard. The rate's interval is Grafana's: four times
// that of the scrapes, or one scrape more than a step.
export async function ask(target, world) {
  const { range } = world;
  const scrape = rangeUtil.intervalToSeconds(target.interval ?? '15s');
  const seconds = Math.round((range.to.valueOf() - range.from.valueOf()) / 1000);
  const time = {
    __interval: `${target.step}s`,
    __rate_interval: `${Math.max(target.step + scrape, 4 * scrape)}s`,
    __range: `${seconds}s`,
  };
  const query = fill(target.expr, { variables: { ...world.variables, ...time } });
  const at = (moment) => String(Math.floor(moment.valueOf() / 1000 / target.step) * target.step);
  const parameters = instant(target)
    ? { query, time: String(range.to.valueOf() / 1000) }
    : { query, start: at(range.from), end: at(range.to), step: String(target.step) };
  const path = `api/v1/query${instant(target) ? '' : '_range'}`;
  const answer = await post(path, new URLSearchParams(parameters));
  if (answer.status !== 'success') throw new Error(answer.error);
  return { series: answer.data.result, step: target.step };
}

// post asks again when a request is broken off: Chromium does that whenever a network interface comes or goes, as those of pods do.
async function post(path, body) {
  for (let left = 5; ; left--) {
    try {
      return await (await fetch(path, { method: 'POST', body })).json();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

const legend = (format, labels) =>
  !format || format === '__auto'
    ? Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(', ')
    : format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');

const number = (text) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

// asSeries makes a frame of each series of an answer.
export function asSeries({ series, step }, target) {
  return series.map(({ metric, values, value }) => {
    const points = values ?? [value];
    const name = legend(target.legendFormat, metric);
    return {
      refId: target.refId, name,
      fields: [
        { name: 'Time', type: 'time', values: points.map(([t]) => t * 1000), config: { interval: step * 1000 } },
        { name: 'Value', type: 'number', labels: metric, values: points.map(([, v]) => number(v)), config: { displayNameFromDS: name } },
      ],
    };
  });
}

// asTable makes one frame of an answer, with a column for each label.
export function asTable({ series }, target) {
  if (series.length === 0) return [];
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [{
    refId: target.refId,
    fields: [
      { name: 'Time', type: 'time', values: series.map(({ value: [t] }) => t * 1000), config: {} },
      ...labels.map((label) => ({ name: label, type: 'string', values: series.map(({ metric }) => metric[label] ?? ''), config: {} })),
      { name: `Value #${target.refId}`, type: 'number', values: series.map(({ value: [, v] }) => number(v)), config: {} },
    ],
  }];
}

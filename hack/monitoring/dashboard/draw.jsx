// Draws a dashboard as Grafana would: its panels, units, thresholds, legends and transformations are Grafana's own code
// (@grafana/ui, @grafana/data). Only what Grafana itself has around them is written here: asking Prometheus, filling in
// variables, and the grid. It runs in the page that main.go serves, and sets window.drawn when nothing more is to come.
import { createRoot } from 'react-dom/client';
import { flushSync } from 'react-dom';
import { lastValueFrom } from 'rxjs';
import {
  applyNullInsertThreshold, createTheme, dateTime, EventBusSrv, fieldMatchers, getDisplayProcessor, getDisplayValueAlignmentFactors,
  getFieldDisplayValues, rangeUtil, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { ask, asTable, asSeries, fill } from './prometheus.js';
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';

const columns = 24, cell = 30, gap = 8; // Grafana's grid, in pixels
const theme = createTheme({ colors: { mode: 'dark' } });
const transformers = new Map(Object.values(standardTransformers).map((t) => [t.id, { id: t.id, name: t.name, transformation: t }]));
standardTransformersRegistry.setInit(() => [...transformers.values()]);

// What Grafana puts into a panel's JSON when somebody saves it, for what ours leaves out.
const seriesDefaults = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', barAlignment: 0,
  barWidthFactor: 0.6, showPoints: 'auto', pointSize: 5, spanNulls: false, axisPlacement: 'auto', axisGridShow: true,
  scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' }, thresholdsStyle: { mode: 'off' },
  hideFrom: { legend: false, tooltip: false, viz: false },
};

// merge lays b over a, deeply; lists and null are values.
const merge = (a, b) => (b === undefined ? a : !a || !b || typeof b !== 'object' || Array.isArray(b) ? b
  : Object.keys(b).reduce((all, key) => ({ ...all, [key]: merge(a[key], b[key]) }), a));

// configure gives the fields of frames their settings: the panel's, and those of the overrides that match.
function configure(panel, frames) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig;
  const base = merge(panel.type === 'timeseries' ? { color: { mode: 'palette-classic' }, custom: seriesDefaults } : { color: { mode: 'thresholds' } },
    merge({ thresholds: { mode: 'absolute', steps: [{ color: 'green', value: -Infinity }] } }, defaults));
  base.thresholds.steps.forEach((step) => { step.value ??= -Infinity; });
  let series = 0;
  for (const frame of frames) {
    for (const field of frame.fields) {
      field.config = merge(base, field.config);
      for (const { matcher, properties } of overrides) {
        if (!fieldMatchers.get(matcher.id).get(matcher.options)(field, frame, frames)) continue;
        for (const { id, value } of properties) {
          field.config = merge(field.config, id.split('.').reduceRight((inner, key) => ({ [key]: inner }), value));
        }
      }
      field.state = { ...field.state, ...(field.type === 'number' && { seriesIndex: series++ }) };
      field.display = getDisplayProcessor({ field, theme, timeZone: 'browser' });
    }
  }
  return frames;
}

const draw = {
  timeseries: ({ panel, frames, range, width, height }) => (
    <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="browser"
      legend={panel.options.legend} options={panel.options} />
  ),
  stat: ({ panel, frames, width, height }) => {
    const { reduceOptions, colorMode, graphMode, textMode, justifyMode, orientation } = panel.options;
    return <VizRepeater width={width} height={height} source={frames} renderCounter={0} autoGrid itemSpacing={3}
      orientation={orientation ?? 'auto'} getAlignmentFactors={getDisplayValueAlignmentFactors}
      getValues={() => getFieldDisplayValues({
        fieldConfig: panel.fieldConfig, reduceOptions, replaceVariables: (s) => s, theme, data: frames,
        sparkline: graphMode !== 'none', timeZone: 'browser',
      })}
      renderValue={({ value, width, height, alignmentFactors, count }) =>
        <BigValue {...{ value: value.display, sparkline: value.sparkline, width, height, alignmentFactors, count, theme,
          colorMode, graphMode, textMode, justifyMode }} />} />;
  },
  table: ({ panel, frames, width, height }) => (
    <TableNG data={frames[0]} width={width} height={height} cellHeight={panel.options.cellHeight}
      initialSortBy={panel.options.sortBy} fieldConfig={panel.fieldConfig} enableVirtualization={false} />
  ),
};

// load asks for every target of a panel, and makes of the answers what the panel shows.
async function load(panel, world, width) {
  const results = await Promise.all(panel.targets.map((target) => {
    const step = rangeUtil.calculateInterval(world.range, Math.round(width), target.interval ?? '15s').intervalMs / 1000;
    return ask({ ...target, step }, world);
  }));
  let frames = results.flatMap((result, i) => {
    const target = panel.targets[i];
    return (target.format === 'table' ? asTable(result, target) : asSeries(result, target)).map(toDataFrame);
  });
  if (panel.type === 'timeseries') { // a hole is where a step has no value
    const [refFieldPseudoMin, refFieldPseudoMax] = [world.range.from.valueOf(), world.range.to.valueOf()];
    frames = frames.map((frame) => applyNullInsertThreshold({ frame, refFieldPseudoMin, refFieldPseudoMax }));
  }
  if (panel.type === 'table') {
    const steps = (panel.transformations ?? []).map((t) => ({ ...t, options: fill(t.options, world) }));
    frames = await lastValueFrom(transformDataFrame(steps, frames));
  }
  return configure(panel, frames);
}

const empty = (frames) => !frames.some((frame) => frame.length > 0);

function Panel({ panel, frames, error, world, width, height }) {
  const Content = draw[panel.type];
  return (
    <PanelChrome title={fill(panel.title, world)} description={panel.description} width={width} height={height}
      statusMessage={error} padding={panel.type === 'table' ? 'none' : 'md'}>
      {(innerWidth, innerHeight) =>
        Content && !empty(frames)
          ? <Content {...{ panel, frames, range: world.range, width: innerWidth, height: innerHeight }} />
          : <div className="empty">{panel.fieldConfig.defaults?.noValue ?? (Content ? 'No data' : `no drawing for ${panel.type}`)}</div>}
    </PanelChrome>
  );
}

const Row = ({ panel }) => <h6 className="row">⌄ {panel.title}</h6>;

function Header({ dashboard, world }) {
  return (
    <header>
      <b>{dashboard.title}</b>
      {dashboard.templating.list.filter((v) => !v.hide).map((v) =>
        <span key={v.name}><label>{v.label}</label>{world.shown[v.name] ?? 'All'}</span>)}
      <span className="time">{world.range.from.format('YYYY-MM-DD HH:mm')} to {world.range.to.format('HH:mm')}</span>
    </header>
  );
}

const styles = `
  body { margin: 0; background: ${theme.colors.background.canvas}; }
  header { display: flex; gap: 16px; align-items: center; height: 40px; padding: 8px 16px 0; }
  header b { font-size: 18px; font-weight: 500; }
  header span { border: 1px solid ${theme.colors.border.medium}; border-radius: 2px; padding: 4px 8px; }
  header label { color: ${theme.colors.text.secondary}; margin-right: 12px; display: inline; }
  header .time { margin-left: auto; }
  main { position: relative; margin: 8px 16px 16px; }
  .row { margin: 0; line-height: 30px; font-size: 16px; font-weight: 500; }
  .empty { display: flex; height: 100%; align-items: center; justify-content: center; color: ${theme.colors.text.secondary}; }`;

function Dashboard({ dashboard, loaded, world, width }) {
  const column = (width - 32 + gap) / columns;
  const rows = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  return (
    <PanelContextProvider value={{ eventBus: new EventBusSrv(), eventsScope: '', sync: () => 0 }}>
      <style>{styles}</style>
      <GlobalStyles />
      <Header dashboard={dashboard} world={world} />
      <main style={{ height: rows * (cell + gap) }}>
        {dashboard.panels.map((panel, i) => {
          const { x, y, w, h } = panel.gridPos;
          const size = { width: w * column - gap, height: h * (cell + gap) - gap };
          return (
            <div key={panel.id} style={{ position: 'absolute', left: x * column, top: y * (cell + gap), ...size }}>
              {panel.type === 'row' ? <Row panel={panel} /> : <Panel {...{ panel, world, ...loaded[i], ...size }} />}
            </div>
          );
        })}
      </main>
    </PanelContextProvider>
  );
}

async function main() {
  const dashboard = await (await fetch('dashboard.json')).json();
  const { from, to, variables } = await (await fetch('settings.json')).json();
  const range = { from: dateTime(from), to: dateTime(to), raw: { from, to } };
  const world = { range, variables: {}, shown: variables };
  for (const v of dashboard.templating.list) world.variables[v.name] = variables[v.name] ?? v.allValue ?? '';
  const width = document.documentElement.clientWidth;
  const loaded = await Promise.all(dashboard.panels.map(async (panel) => {
    if (panel.type === 'row') return {};
    try {
      return { frames: await load(panel, world, (width * panel.gridPos.w) / columns) };
    } catch (error) {
      return { frames: [], error: String(error) };
    }
  }));
  await Promise.all(['400 12px Inter', '500 12px Inter'].map((font) => document.fonts.load(font))); // axes are measured
  flushSync(() => createRoot(document.getElementById('root')).render(<Dashboard {...{ dashboard, loaded, world, width }} />));
  const problems = dashboard.panels.flatMap((panel, i) => loaded[i].error ? [`${panel.title}: ${loaded[i].error}`]
    : loaded[i].frames && empty(loaded[i].frames) ? [`${panel.title}: no data`] : []);
  await quiet();
  window.drawn = { problems };
}

// quiet waits until nothing more has been asked for, icons that is, for half a second.
async function quiet() {
  const requests = () => performance.getEntriesByType('resource').length;
  for (let before = -1; before !== requests();) {
    before = requests();
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
}

main().catch((error) => { window.drawn = { problems: [`${error.stack ?? error}`] }; });

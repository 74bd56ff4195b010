// What Grafana takes for a dashboard, by its own schema (@grafana/schema): `make dashboard` puts the dashboard's JSON
// behind these lines and has them compiled, which refuses a field that there is not, and a value of another kind.
import type { Dashboard, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type { FieldConfig as TimeSeriesConfig, Options as TimeSeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TableConfig, Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';

// JSON is a type as it is written: the members of an enumeration by their values.
type JSON<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends object ? { [K in keyof T]: JSON<T[K]> } : T;

// Query is what Grafana's data source for Prometheus takes.
type Query = {
  refId: string; datasource: { type: 'prometheus'; uid: string }; expr: string; interval: string; legendFormat?: string;
  instant?: boolean; range?: boolean; format?: 'table' | 'time_series';
};

type Of<Type extends string, Options, Config> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type; targets: Query[]; options: Partial<Options>;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfigSource['defaults'], 'custom'> & { custom?: Partial<Config> } };
};

type Grafana = JSON<Omit<Dashboard, 'panels'> & {
  panels: Array<RowPanel | Of<'timeseries', TimeSeriesOptions, TimeSeriesConfig> | Of<'stat', StatOptions, never> | Of<'table', TableOptions, TableConfig>>;
}>;

export const dashboard: Grafana =

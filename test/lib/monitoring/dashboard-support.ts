import { resourcesOf, templatesOf } from '../support';

/** A widget as it stands in the body of a dashboard. Positions and sizes are in columns of 24, and in rows. */
export interface WidgetBody {
  readonly type: 'alarm' | 'metric' | 'text';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: {
    readonly title?: string;
    readonly view?: 'timeSeries' | 'singleValue';
    readonly markdown?: string;
    readonly alarms?: readonly string[];
    readonly metrics?: readonly unknown[][];
    readonly annotations?: { readonly horizontal: readonly { value: number; label: string }[] };
    readonly yAxis?: { readonly left?: { readonly label?: string } };
  };
}

/** The dashboards of an environment by their names; a value that is known at deployment only stands as `x`. */
export function dashboardsOf(environment: string): Record<string, readonly WidgetBody[]> {
  const dashboards = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::CloudWatch::Dashboard'));
  return Object.fromEntries(
    dashboards.map(({ Properties }) => {
      const [, parts] = (Properties.DashboardBody as { 'Fn::Join': [string, unknown[]] })['Fn::Join'];
      const body = parts.map((part) => (typeof part === 'string' ? part : 'x')).join('');
      return [String(Properties.DashboardName), (JSON.parse(body) as { widgets: WidgetBody[] }).widgets];
    }),
  );
}

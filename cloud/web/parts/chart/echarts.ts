import { BarChart, LineChart } from "echarts/charts";
import { DataZoomInsideComponent, GridComponent, ToolboxComponent, TooltipComponent } from "echarts/components";
import { type ECharts, type EChartsCoreOption, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

/** The parts of ECharts that the page draws with; the rest stays out of the bundle. */
use([BarChart, LineChart, GridComponent, TooltipComponent, ToolboxComponent, DataZoomInsideComponent, CanvasRenderer]);

export { type ECharts, type EChartsCoreOption, init };

/** The charts: lines are stretched with the plot, their width is not. */

const css = String.raw

export const CHARTS_STYLE = css`
  .chart {
    display: grid;
    grid-template-columns: 4.6em 1fr;
    grid-template-rows: 7.5em auto;
    gap: 0.35em 0.6em;
    margin-top: 0.9rem;
    font-size: 0.75rem;
    color: var(--quiet);
  }
  .chart-values {
    display: flex;
    flex-direction: column;
    justify-content: space-between;
    text-align: end;
    line-height: 1;
    margin-block: -0.5em;
  }
  .chart-plot {
    width: 100%;
    height: 100%;
    min-width: 0;
    overflow: visible;
  }
  .chart-times {
    grid-column: 2;
    display: flex;
    justify-content: space-between;
    line-height: 1.2;
  }
  .chart-plot path,
  .chart-plot line {
    fill: none;
    vector-effect: non-scaling-stroke;
    stroke-linejoin: round;
    stroke-linecap: round;
  }
  .chart-grid {
    stroke: var(--grid);
    stroke-width: 1px;
  }
  .chart-plot .chart-line {
    stroke: var(--line);
    stroke-width: 2px;
  }
  .chart-plot .chart-line.line-1 {
    stroke: var(--quiet);
    stroke-width: 1.5px;
    stroke-dasharray: 2 5;
  }
  .chart-plot .chart-area {
    fill: var(--line);
    opacity: 0.13;
  }
  .chart-plot .chart-end {
    stroke: var(--line);
    stroke-width: 7px;
  }
  .chart-legend {
    display: flex;
    gap: 1.25rem;
    margin-top: 0.5rem;
    padding-inline-start: 3.9rem;
    list-style: none;
    font-size: 0.75rem;
    color: var(--quiet);
  }
  .swatch {
    display: inline-block;
    width: 1.4em;
    margin-inline-end: 0.5em;
    vertical-align: 0.25em;
    border-top: 2px solid var(--line);
  }
  .line-1 .swatch {
    border-top: 2px dotted var(--quiet);
  }
`

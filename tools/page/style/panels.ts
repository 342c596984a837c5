/** The panels of servers, links and tables. */

const css = String.raw

export const PANELS_STYLE = css`
  .card {
    min-width: 0;
    padding: 1rem 1.25rem 1.1rem;
    border: 1px solid var(--edge);
    border-radius: 0.75rem;
    background: var(--card);
  }
  .card[data-stale] {
    border-style: dashed;
  }
  .card[data-stale] :is(.value, .chart) {
    opacity: 0.62;
  }
  .card-head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0.1rem 0.7rem;
  }
  .card-head .mark {
    margin-inline-start: auto;
  }
  h3 {
    font-size: 1.1rem;
    font-weight: 600;
  }
  .role {
    padding: 0.05em 0.55em;
    border: 1px solid currentcolor;
    border-radius: 1em;
    font-size: 0.75rem;
    font-weight: 600;
    color: var(--line);
  }
  .server,
  .link {
    --line: var(--replica);
  }
  .server[data-role='primary'] {
    --line: var(--primary);
  }
  .servers {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
    gap: 1rem;
  }
  .links {
    display: grid;
    gap: 1rem;
  }
  .headlines {
    display: grid;
    grid-template-columns: 1.25fr 1fr 1fr;
    gap: 0.25rem 1.25rem;
    margin-top: 0.8rem;
  }
  dt {
    font-size: 0.75rem;
    color: var(--quiet);
  }
  .headline dd:not(.footnote) {
    font-size: clamp(1.35rem, 1rem + 1.3vw, 2.1rem);
    font-weight: 600;
    line-height: 1.15;
    letter-spacing: -0.02em;
    white-space: nowrap;
  }
  .headline .unit {
    font-size: 0.5em;
    letter-spacing: 0;
  }
  .footnote {
    font-size: 0.8rem;
    color: var(--quiet);
  }
  .position {
    font-size: 0.8rem;
    color: var(--quiet);
    overflow-wrap: anywhere;
  }
  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr));
    gap: 0.6rem 1rem;
    margin-top: 0.9rem;
  }
  .figure dd {
    overflow-wrap: anywhere;
  }
  .facts {
    display: grid;
    gap: 0.25rem;
    margin-top: 0.9rem;
    font-size: 0.85rem;
  }
  .fact {
    display: grid;
    grid-template-columns: 8rem 1fr;
    gap: 0 0.75rem;
    align-items: baseline;
  }
  .fact dd {
    overflow-wrap: anywhere;
  }
  .fact .mark {
    margin-inline-end: 0.4em;
  }
  .caption {
    margin-top: 1.1rem;
  }
  .delays {
    grid-template-columns: repeat(3, 1fr);
    margin-top: 0.1rem;
  }
  .delays dd {
    font-weight: 600;
    font-size: 1.05rem;
  }
  .link > .figures {
    grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
  }
  .card > .note {
    margin-top: 0.8rem;
  }

  .link-body {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
    gap: 1rem 2.5rem;
    margin-top: 0.8rem;
  }
  .link-body > * {
    min-width: 0;
  }
  .link .chart {
    grid-template-rows: 11em auto;
  }
  table {
    width: 100%;
    border-collapse: collapse;
  }
  caption,
  .caption {
    padding-bottom: 0.2rem;
    text-align: start;
    font-size: 0.8rem;
    font-weight: 600;
    color: var(--quiet);
  }
  th,
  td {
    padding: 0.4rem 0 0.4rem 0.75rem;
    border-top: 1px solid var(--grid);
    text-align: end;
    font-weight: 400;
    vertical-align: baseline;
  }
  :is(th, td):first-child {
    padding-inline-start: 0;
    text-align: start;
  }
  thead th {
    border-top: 0;
    font-size: 0.75rem;
    color: var(--quiet);
  }
  tbody th {
    font-weight: 600;
  }
  .stages td {
    font-size: 1.05rem;
    white-space: nowrap;
  }
  .stages td .value {
    font-weight: 600;
  }
  .stage-meaning {
    display: block;
    font-size: 0.75rem;
    font-weight: 400;
    color: var(--quiet);
  }
  .choice {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 1rem;
    border: 0;
    font-size: 0.8rem;
  }
  .choice legend {
    float: inline-start;
    margin-inline-end: 1rem;
    color: var(--quiet);
  }
  .choice label {
    display: inline-flex;
    align-items: center;
    gap: 0.35em;
    cursor: pointer;
  }
  .choice input {
    accent-color: var(--line);
    width: 1.05em;
    height: 1.05em;
  }
  .choice input:focus-visible {
    outline: 2px solid var(--line);
    outline-offset: 2px;
  }
  .digest {
    font-family: ui-monospace, monospace;
    font-size: 0.85rem;
    color: var(--quiet);
  }

  @media (max-width: 34rem) {
    .card {
      padding: 0.85rem 0.9rem;
    }
    .headlines {
      grid-template-columns: 1fr 1fr;
    }
    .headline:first-child {
      grid-column: 1 / -1;
    }
    .server .figures {
      grid-template-columns: repeat(3, 1fr);
    }
    .stages :is(th, td):not(:first-child) {
      padding-inline-start: 0.4rem;
    }
    .stages td {
      font-size: 0.95rem;
    }
    .tables .digest,
    .tables thead th:last-child {
      display: none;
    }
  }
`

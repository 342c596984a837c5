/**
 * The page as a whole: colours, sizes, head, legend. Light and dark by the reader's preference; sizes follow the width of
 * the window, so that it can be read on a phone and on a wall. All colours are named here, with a contrast of at least
 * 4.5 to 1 for text.
 */

const css = String.raw

export const BASE_STYLE = css`
  :root {
    color-scheme: light dark;
    --ground: light-dark(#f3f4f6, #0c0f14);
    --card: light-dark(#ffffff, #151a21);
    --edge: light-dark(#dde1e7, #29313c);
    --grid: light-dark(#e7eaef, #242b35);
    --ink: light-dark(#12161c, #e8edf4);
    --quiet: light-dark(#57606c, #97a3b3);
    --primary: light-dark(#3451c6, #8ea6ff);
    --replica: light-dark(#0b7285, #4fc9d8);
    --good: light-dark(#1a7f37, #4ac26b);
    --attention: light-dark(#8a5a00, #e0a72e);
    --action: light-dark(#c01f2a, #ff7b72);
    font:
      400 clamp(15px, 12px + 0.42vw, 26px) / 1.45 system-ui,
      sans-serif;
    font-variant-numeric: tabular-nums;
  }
  * {
    box-sizing: border-box;
    margin: 0;
    padding: 0;
  }
  [hidden] {
    display: none !important;
  }
  body {
    background: var(--ground);
    color: var(--ink);
    padding: 1.25rem clamp(0.75rem, 2.5vw, 3rem) 2rem;
    max-width: 120rem;
    margin-inline: auto;
  }
  h2 {
    margin: 1.75rem 0 0.6rem;
    font-size: 0.8rem;
    font-weight: 600;
    letter-spacing: 0.04em;
    color: var(--quiet);
  }
  .unit {
    font-size: 0.8em;
    font-weight: 400;
    color: var(--quiet);
  }
  .note {
    font-size: 0.8rem;
    color: var(--quiet);
    overflow-wrap: anywhere;
  }
  .reason {
    overflow-wrap: anywhere;
  }
  .name {
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }

  .page-head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0.25rem 1rem;
  }
  h1 {
    font-size: 1.5rem;
    font-weight: 700;
    letter-spacing: -0.02em;
    line-height: 1.2;
  }
  .cluster {
    color: var(--quiet);
    font-size: 0.85rem;
  }
  .overall {
    margin-inline-start: auto;
    font-size: 1.1rem;
  }
  .banner {
    flex-basis: 100%;
    overflow-wrap: anywhere;
    color: var(--quiet);
    font-size: 0.85rem;
  }
  .banner[data-level='action'] {
    margin-top: 0.5rem;
    padding: 0.7rem 1rem;
    border-radius: 0.5rem;
    background: light-dark(#c01f2a, #8e1620);
    color: #ffffff;
    font-size: 1.05rem;
  }
  .banner[data-level='action'] > :first-child {
    font-weight: 600;
  }

  .mark {
    display: inline-flex;
    align-items: baseline;
    gap: 0.4em;
    font-weight: 600;
    white-space: nowrap;
  }
  .mark[data-level='good'] {
    color: var(--good);
  }
  .mark[data-level='attention'] {
    color: var(--attention);
  }
  .mark[data-level='action'] {
    color: var(--action);
  }
  .mark-shape {
    font-size: 0.85em;
  }

  .legend {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr));
    gap: 0.75rem 2rem;
  }
  .legend dt {
    font-size: 0.9rem;
  }
  .legend dd {
    font-size: 0.85rem;
    color: var(--quiet);
  }
  footer > .note {
    margin-top: 1rem;
    max-width: 60rem;
  }
`

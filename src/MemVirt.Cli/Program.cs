MemVirt.Cli.GuestStart.Prepare(args);
return MemVirt.Cli.ProcessHost.Run(args);
